"""Cloud Sync, whoever asks: whether a user may sync, and what the subscription is."""

from typing import Self

from domain.rules.sync import Interval, Status
from web.http.models import Instant, Model


class NextCharge(Model):
    """What will be charged next, and whether the balance of this moment covers it."""

    at: Instant
    amount: int
    covered: bool


class Gate(Model):
    """Whether a user may sync, and until when it is paid."""

    active: bool
    interval: Interval = Interval.MONTHLY
    next_charge_at: Instant | None = None
    paused_at: Instant | None = None
    gifted: bool = False


class SyncStatus(Gate):
    """A user's sync. `autoResume`: once paused, it is activated again by the first top-up that suffices."""

    auto_resume: bool = False
    next_charge: NextCharge | None = None

    @classmethod
    def of(cls, status: Status) -> Self:
        """Tell a user's sync; without a subscription it is inactive."""
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
