"""What goes into each kind of job, and what comes out: its payload and its result. The kinds are in `job_kinds`."""

from datetime import datetime
from typing import Any
from uuid import UUID

from domain.rules.job_search import JobFilter
from domain.rules.jobs import Payload, Result, UserPayload
from domain.rules.notices import Notice, NoticeKind
from domain.rules.purchases import PurchaseStatus
from domain.rules.sync import Interval, Period
from domain.units import Credits, EuroCents

# ---------------------------------------------------------------- purchases and Stripe


class OpenPayment(UserPayload, frozen=True, kw_only=True):
    """The purchase to make a payment for at Stripe."""

    purchase_id: UUID


class PaymentOpened(Result, frozen=True, kw_only=True):
    """What the buyer needs to pay. `amount` is in euro cents."""

    purchase_id: UUID
    client_secret: str | None
    amount: EuroCents
    credits: Credits
    checkout_url: str | None


class StripeEvent(Payload, frozen=True, kw_only=True):
    """A stored event of Stripe's, as JSON (https://docs.stripe.com/api/events/object).

    `mark` proves that it came from Stripe; see `domain.rules.stripe_events`.
    """

    event: dict[str, Any]
    mark: str | None = None


class StripeObject(Payload, frozen=True, kw_only=True):
    """An object of Stripe's to look at: the list it is in, which is its type, and its id."""

    stream: str
    id: str


class Settled(Result, frozen=True, kw_only=True):
    """The effect of facts from Stripe. `ignored`: not about a purchase of ours. `facts`: if there were several."""

    ignored: bool = False
    purchase_id: UUID | None = None
    status: PurchaseStatus | None = None
    refunded_euro_cents: EuroCents | None = None
    taken_back_credits: Credits | None = None
    takeback_id: str | None = None
    transaction_id: UUID | None = None
    already_credited: bool | None = None
    facts: tuple["Settled", ...] = ()


class RefundPurchase(Payload, frozen=True, kw_only=True):
    """The money to give back. `asked_before`: the sum of the refunds that were asked for before."""

    purchase_id: UUID
    amount: EuroCents
    reason: str
    asked_before: EuroCents


class RefundOpened(Result, frozen=True, kw_only=True):
    """The refund that Stripe has made."""

    purchase_id: UUID
    refund_id: str
    amount: EuroCents


class ListAtStripe(Payload, frozen=True, kw_only=True):
    """Where a listing goes on: Stripe's list, from when on, behind which id; the newest creation time so far."""

    stream: str | None = None
    since: datetime | None = None
    after: str | None = None
    newest: float = 0.0
    by_hand: bool = False


class Listed(Result, frozen=True, kw_only=True):
    """How far a listing has come: objects seen, jobs recorded, the time reached, the job that goes on."""

    listed: int
    recorded: tuple[UUID, ...]
    since: datetime
    stream: str | None
    reached: float | None
    next: UUID | None


class Found(Result, frozen=True, kw_only=True):
    """How many purchases nobody has paid."""

    found: int


class CancelPurchase(Payload, frozen=True, kw_only=True):
    """A purchase that nobody has paid."""

    purchase_id: UUID


# ---------------------------------------------------------------- gifts and holds


class RedeemGift(UserPayload, frozen=True, kw_only=True):
    """The gift to redeem, and the app it is redeemed in."""

    gift_id: UUID
    source_app_id: str | None = None


class GiftRedeemed(Result, frozen=True, kw_only=True):
    """The answer for the user who redeemed a gift."""

    success: bool
    credits: Credits
    credits_received: Credits
    new_balance: int
    message: str | None
    creator_name: str | None


class RedeemPendingGifts(UserPayload, frozen=True, kw_only=True):
    """The gifts that wait for the user's e-mail address."""

    gift_ids: tuple[UUID, ...]


class PendingGiftsRedeemed(Result, frozen=True, kw_only=True):
    """How many of them are the user's now, and their credits."""

    redeemed: int
    total_credits: Credits


class Expired(Result, frozen=True, kw_only=True):
    """How many gifts or holds were over."""

    expired: int


# ---------------------------------------------------------------- Cloud Sync


class ActivateSync(UserPayload, frozen=True, kw_only=True):
    """How often the user wants to be charged."""

    interval: Interval


class SyncActivated(Result, frozen=True, kw_only=True):
    """The first period is paid."""

    interval: Interval
    next_charge_at: datetime
    amount_charged: Credits
    transaction_id: UUID


class ResumeSync(UserPayload, frozen=True, kw_only=True):
    """A user whose paused sync may be activated again."""


class SyncResumed(Result, frozen=True, kw_only=True):
    """Whether sync was activated again, and then what was charged."""

    resumed: bool
    interval: Interval | None = None
    next_charge_at: datetime | None = None
    amount_charged: Credits | None = None
    transaction_id: UUID | None = None


class RenewSync(UserPayload, frozen=True, kw_only=True):
    """The period to charge."""

    activation: int
    period: int

    @property
    def renewed_period(self) -> Period:
        """The period, as the rules of renewal know it."""
        return Period(activation=self.activation, number=self.period)


class SyncRenewed(Result, frozen=True, kw_only=True):
    """What was decided: `charged`, `paused` for want of credits, or `left_alone`."""

    outcome: str
    transaction_id: UUID | None = None
    required: Credits | None = None
    available: Credits | None = None
    reason: str | None = None


class RecurringCharged(Result, frozen=True, kw_only=True):
    """How the renewals of everything that was due ended."""

    charged: int
    paused: int
    errors: int
    total: int


class Notify(UserPayload, frozen=True, kw_only=True):
    """The notice to send; see `domain.rules.notices.Notice`."""

    notice: NoticeKind
    required: Credits
    available: Credits
    charge_at: datetime

    @property
    def message(self) -> Notice:
        """The notice, as the rules of notices know it."""
        return Notice(kind=self.notice, required=self.required, available=self.available, charge_at=self.charge_at)


class Notified(Result, frozen=True, kw_only=True):
    """Whether the notice was sent; it is not where no notification service is configured."""

    sent: bool


# ---------------------------------------------------------------- upkeep


class RolledUp(Result, frozen=True, kw_only=True):
    """How many groups of users were counted."""

    batches: int


class Pruned(Result, frozen=True, kw_only=True):
    """How many old jobs and ended console sessions were deleted, and how many old purchases that nobody paid."""

    deleted: int
    purchases: int = 0


class Audited(Result, frozen=True, kw_only=True):
    """How many rows break each invariant."""

    violations: dict[str, int]


class RetryJobs(Payload, frozen=True, kw_only=True):
    """Which jobs to retry; who asked for it, and why."""

    filter: JobFilter
    who: str
    why: str


class JobsRetried(Result, frozen=True, kw_only=True):
    """How many jobs were retried, how many of them failed again, whether it stopped early, how many still match."""

    retried: int
    failing: int
    stopped: bool
    still_matching: int
