"""Holds: credits set aside for work that is under way, until the work is paid for or given up."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from domain.errors import HoldEnded, HoldExceeded, HoldExpired
from domain.units import Credits, UserId

LIFE: Final = timedelta(hours=24)
"""How long a hold lasts when the request does not say."""

LIFE_MAX: Final = timedelta(days=30)


class HoldStatus(StrEnum):
    """Where a hold is. It leaves `open` once, to one of its ends."""

    OPEN = "open"
    COMMITTED = "committed"
    RELEASED = "released"
    EXPIRED = "expired"


@dataclass(frozen=True, kw_only=True)
class Hold:
    """Credits of a user that are set aside.

    Attributes:
        committed_amount: What was paid of them in the end; `None` unless the hold is committed.
    """

    id: UUID
    user_id: UserId
    amount: Credits
    reason: str
    status: HoldStatus
    committed_amount: Credits | None
    expires_at: datetime
    created_at: datetime
    ended_at: datetime | None


def check_is_open(hold: Hold, now: datetime) -> None:
    """Make sure that a hold has not ended.

    Raises:
        HoldEnded: it is committed or released.
        HoldExpired: its time is over, even if its credits have not gone back yet.
    """
    match hold.status:
        case HoldStatus.OPEN:
            if hold.expires_at <= now:
                raise HoldExpired
        case HoldStatus.COMMITTED | HoldStatus.RELEASED:
            raise HoldEnded(f"This reservation is {hold.status.value}")
        case HoldStatus.EXPIRED:
            raise HoldExpired


def amount_to_commit(hold: Hold, amount: Credits | None) -> Credits:
    """Tell how many credits of a hold are paid.

    Args:
        amount: What to pay; `None` is all that is held.

    Raises:
        HoldExceeded: `amount` is more than is held.
    """
    if amount is None:
        return hold.amount
    if amount > hold.amount:
        raise HoldExceeded(amount=amount, reserved=hold.amount)
    return amount
