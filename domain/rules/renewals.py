"""Renewals: when a subscription is charged, and what a renewal changes.

Periods end at the anchor plus whole months, clamped to the month, in UTC: 31 January, 29 February, 31 March. They are
counted from the anchor, never from the previous date or from now, so a late renewal does not drift.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from dateutil.relativedelta import relativedelta

from domain.rules.sync import Interval, Period, Subscription
from domain.units import Credits


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
