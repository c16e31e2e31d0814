"""What operators did: kept for ever."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from domain.units import UserId

WHY_MAX: Final = 500
"""The longest reason, in characters."""


class ActKind(StrEnum):
    """What an operator did."""

    RETRY = "retry"
    RETRY_ALL = "retry-all"
    DISCARD = "discard"
    ERASE = "erase"


@dataclass(frozen=True, kw_only=True)
class Act:
    """Something an operator did: who, when, what, why. Never changed, never deleted.

    Attributes:
        who: User id of the admin, or `cli:<login>`.
        job_id: Of the job it was about.
        run_id: Of the retry-all job that did it for the operator.
        facts: JSON, further details.
    """

    act: ActKind
    who: str
    why: str
    at: datetime
    job_id: UUID | None = None
    run_id: UUID | None = None
    user_id: UserId | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
