"""Usage statistics: what a user spent, per app and UTC day."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from domain.units import Credits

DAYS_MAX: Final = 366
"""The longest period of one request, in days."""


class GroupBy(StrEnum):
    """What usage is summed by."""

    APP = "app"
    DAY = "day"


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What was spent in an app, or on a day.

    Attributes:
        credits: Spent in total.
        uses: How many transactions that were.
    """

    app_id: str | None
    day: date | None
    credits: Credits
    uses: int
