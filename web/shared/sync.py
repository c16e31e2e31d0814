"""Models of Cloud Sync for all callers: whether a user may sync, and the subscription."""

from typing import Self

from domain.rules.sync import Interval, Status
from web.http.models import Instant, Model


class NextCharge(Model):
    """The next charge, and whether the present balance covers it."""

    at: Instant
    amount: int
    covered: bool


class Gate(Model):
    """Whether a user may sync, and when it is charged next."""

    active: bool
    interval: Interval = Interval.MONTHLY
    next_charge_at: Instant | None = None
    paused_at: Instant | None = None
    gifted: bool = False


class SyncStatus(Gate):
    """A user's sync. `autoResume`: paused sync is activated again by the first top-up that covers the price."""

    auto_resume: bool = False
    next_charge: NextCharge | None = None

    @classmethod
    def from_status(cls, status: Status) -> Self:
        """Show a user's sync; without a subscription it is inactive."""
        if status.subscription is None:
            return cls(active=False)
        forecast = NextCharge.model_validate(status.next_charge) if status.next_charge else None
        subscription = status.subscription
        return cls(
            active=subscription.active,
            interval=subscription.interval,
            next_charge_at=subscription.next_charge_at,
            paused_at=subscription.paused_at,
            gifted=subscription.is_gifted,
            auto_resume=subscription.auto_resume,
            next_charge=forecast,
        )
