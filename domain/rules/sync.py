"""Cloud Sync: intervals, what they cost, and subscriptions. When they are charged is in `renewals`."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from domain.units import Credits, UserId

SYNC_APP: Final = "sync"
"""The `app_id` and the counterparty of what is charged for sync."""

NOTICE: Final = timedelta(days=7)
"""How long before a charge a user gets a notice that the balance does not cover it."""


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
    """What one renewal is for. Its number goes up when a renewal was decided, so no period is decided twice.

    Attributes:
        activation: Number of the subscription's activation; unique in this database.
        number: Counts the renewals of the activation from 0.
    """

    activation: int
    number: int

    @property
    def movement_key(self) -> str:
        """The key of the ledger row that charges this period."""
        return f"sync:{self.activation}:{self.number}"


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


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """The next charge, and whether the balance of this moment covers it."""

    at: datetime
    amount: Credits
    covered: bool


@dataclass(frozen=True, kw_only=True)
class Status:
    """A user's subscription, if there is one, and what it will cost next."""

    subscription: Subscription | None
    next_charge: Forecast | None


def status_of(subscription: Subscription | None, *, available: Credits) -> Status:
    """Tell a user's subscription, and what it will cost next.

    Args:
        available: The user's balance.
    """
    if subscription is None or not subscription.active or subscription.is_gifted or not subscription.next_charge_at:
        return Status(subscription=subscription, next_charge=None)
    covered = available >= subscription.amount
    forecast = Forecast(at=subscription.next_charge_at, amount=subscription.amount, covered=covered)
    return Status(subscription=subscription, next_charge=forecast)
