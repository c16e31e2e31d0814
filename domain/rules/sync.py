"""Cloud Sync: what it costs, when it is charged, and what a renewal does to a subscription.

Periods end at the anchor plus whole months, clamped to the month, in UTC: 31 January, 29 February, 31 March. They are
counted from the anchor, never from the previous date or from now, so a late run does not drift.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from dateutil.relativedelta import relativedelta

from domain.units import Credits, UserId

SYNC_APP: Final = "sync"
"""The `app_id` and the counterparty of what is charged for sync."""

NOTICE: Final = timedelta(days=7)
"""How long before a charge a user is told that the balance does not cover it."""


class Interval(StrEnum):
    """How often a subscription is charged."""

    MONTHLY = "monthly"
    QUARTERLY = "quarterly"
    YEARLY = "yearly"

    @property
    def months(self) -> int:
        """The length of a period in months."""
        match self:
            case Interval.MONTHLY:
                return 1
            case Interval.QUARTERLY:
                return 3
            case Interval.YEARLY:
                return 12

    @property
    def price(self) -> Credits:
        """What a period costs."""
        match self:
            case Interval.MONTHLY:
                return Credits(30)
            case Interval.QUARTERLY:
                return Credits(90)
            case Interval.YEARLY:
                return Credits(360)


@dataclass(frozen=True, kw_only=True)
class Period:
    """What one renewal is for. Its number goes up when a renewal was decided, so none is decided twice.

    Attributes:
        activation: Of the subscription; unique in the house.
        number: Counts the renewals of the activation from 0.
    """

    activation: int
    number: int

    @property
    def movement_key(self) -> str:
        """The key of the ledger row that charges this period."""
        return f"sync:{self.activation}:{self.number}"

    @property
    def payload(self) -> Mapping[str, Any]:
        """The period as a job's facts."""
        return {"activation": self.activation, "period": self.number}

    @classmethod
    def of_payload(cls, payload: Mapping[str, Any]) -> "Period":
        """Read a period out of a job's facts."""
        return cls(activation=payload["activation"], number=payload["period"])


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """A user's sync, as it is recorded.

    Attributes:
        amount: Credits, charged at `next_charge_at`.
        anchor_at: What the ends of periods are counted from.
        next_charge_at: End of the paid period; `None` when nothing will be charged.
        paused_at: Since when it waits for credits.
        auto_resume: Activate again as soon as a paused user can pay.
    """

    user_id: UserId
    active: bool
    interval: Interval
    amount: Credits
    anchor_at: datetime | None
    next_charge_at: datetime | None
    paused_at: datetime | None
    is_gifted: bool
    gifted_by: str | None
    gifted_at: datetime | None
    period: Period
    auto_resume: bool

    def is_due(self, now: datetime) -> bool:
        """Tell whether the paid period has ended."""
        return self.next_charge_at is not None and self.next_charge_at <= now


@dataclass(frozen=True, kw_only=True)
class Charge:
    """The period is paid, and the next one ends at `next_charge_at`."""

    amount: Credits
    next_charge_at: datetime


@dataclass(frozen=True, kw_only=True)
class Pause:
    """The balance does not cover the period: sync stops until the user can pay."""

    required: Credits
    available: Credits


class Reason(StrEnum):
    """Why a renewal changes nothing."""

    SUPERSEDED = "superseded"
    INACTIVE = "inactive"
    GIFTED = "gifted"
    NOT_DUE = "not_due"


@dataclass(frozen=True, kw_only=True)
class LeaveAlone:
    """There is nothing to charge, or not any more."""

    reason: Reason


Decision = Charge | Pause | LeaveAlone


def renewal(subscription: Subscription | None, *, period: Period, balance: Credits, now: datetime) -> Decision:
    """Decide what a renewal does.

    Args:
        subscription: As it is now, locked; `None` if it is gone.
        period: What the renewal was recorded for.
        balance: What the user has, locked.
    """
    if subscription is None or subscription.period != period:
        return LeaveAlone(reason=Reason.SUPERSEDED)
    if subscription.is_gifted:
        return LeaveAlone(reason=Reason.GIFTED)
    if not subscription.active:
        return LeaveAlone(reason=Reason.INACTIVE)
    due_at = subscription.next_charge_at
    if due_at is None or due_at > now:
        return LeaveAlone(reason=Reason.NOT_DUE)
    if balance < subscription.amount:
        return Pause(required=subscription.amount, available=balance)
    next_at = next_charge(anchor=subscription.anchor_at or due_at, due=due_at, interval=subscription.interval, now=now)
    return Charge(amount=subscription.amount, next_charge_at=next_at)


def first_charge(*, anchor: datetime, interval: Interval) -> datetime:
    """Tell when the period that begins at the anchor ends."""
    return _boundary(anchor, interval.months)


def next_charge(*, anchor: datetime, due: datetime, interval: Interval, now: datetime) -> datetime:
    """Tell when the period that follows `due` ends: the first boundary in the future, whole intervals after `due`.

    After an outage the boundaries in between are passed over: one period is charged, however many went by.
    """
    step = interval.months
    months = _months(anchor, due) + step
    months += max(_months(anchor, now) - months, 0) // step * step
    while _boundary(anchor, months) <= now:
        months += step
    return _boundary(anchor, months)


def _boundary(anchor: datetime, months: int) -> datetime:
    return anchor.astimezone(UTC) + relativedelta(months=months)


def _months(anchor: datetime, moment: datetime) -> int:
    """Count calendar months; a boundary clamped to the end of a short month still counts as that month's."""
    first, last = anchor.astimezone(UTC), moment.astimezone(UTC)
    return (last.year - first.year) * 12 + last.month - first.month
