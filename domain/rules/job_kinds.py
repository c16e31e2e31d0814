"""Every kind of job: what goes in, what comes out, how it is queued and tried, and when the clock asks for it.

To add a kind: write its payload and result in `domain/rules/job_payloads.py`, add it here, and write its handler in a
module of `workers/handlers`. Nothing else lists kinds.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from domain.rules.job_payloads import (
    ActivateSync,
    Audited,
    CancelPurchase,
    Expired,
    Found,
    GiftRedeemed,
    JobsRetried,
    ListAtStripe,
    Listed,
    Notified,
    Notify,
    OpenPayment,
    PaymentOpened,
    PendingGiftsRedeemed,
    Pruned,
    RecurringCharged,
    RedeemGift,
    RedeemPendingGifts,
    RefundOpened,
    RefundPurchase,
    RenewSync,
    ResumeSync,
    RetryJobs,
    RolledUp,
    Settled,
    StripeEvent,
    StripeObject,
    SyncActivated,
    SyncRenewed,
    SyncResumed,
)
from domain.rules.jobs import (
    LONG_LEASE,
    OUTSIDE_ATTEMPTS_MAX,
    AnyKind,
    JobKind,
    NoPayload,
    Payload,
    Queue,
    Result,
)

MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)

# ---------------------------------------------------------------- purchases and Stripe

PURCHASE: Final = JobKind(name="purchase", payload=OpenPayment, result=PaymentOpened, attempts_max=OUTSIDE_ATTEMPTS_MAX)

STRIPE_EVENT: Final = JobKind(
    name="stripe", payload=StripeEvent, result=Settled, attempts_max=OUTSIDE_ATTEMPTS_MAX, comes_first=True
)

STRIPE_OBJECT: Final = JobKind(
    name="stripe-object", payload=StripeObject, result=Settled, attempts_max=OUTSIDE_ATTEMPTS_MAX, comes_first=True
)

REFUND: Final = JobKind(name="refund", payload=RefundPurchase, result=RefundOpened, attempts_max=OUTSIDE_ATTEMPTS_MAX)

RECONCILE: Final = JobKind(
    name="reconcile",
    payload=ListAtStripe,
    result=Listed,
    attempts_max=OUTSIDE_ATTEMPTS_MAX,
    lease=LONG_LEASE,
    every=10 * MINUTE,
)

RECONCILE_OBJECTS: Final = JobKind(
    name="reconcile-objects",
    payload=ListAtStripe,
    result=Listed,
    attempts_max=OUTSIDE_ATTEMPTS_MAX,
    lease=LONG_LEASE,
    every=DAY,
)

ABANDONED: Final = JobKind(name="abandoned", payload=NoPayload, result=Found, lease=LONG_LEASE, every=HOUR)

CANCEL: Final = JobKind(name="cancel", payload=CancelPurchase, result=Settled, attempts_max=OUTSIDE_ATTEMPTS_MAX)


# ---------------------------------------------------------------- gifts and holds

REDEEM: Final = JobKind(name="redeem", payload=RedeemGift, result=GiftRedeemed)

REDEEM_PENDING: Final = JobKind(name="redeem-pending", payload=RedeemPendingGifts, result=PendingGiftsRedeemed)

EXPIRE_GIFTS: Final = JobKind(name="expire-gifts", payload=NoPayload, result=Expired, every=MINUTE)

EXPIRE_HOLDS: Final = JobKind(name="expire-holds", payload=NoPayload, result=Expired, every=MINUTE)


# ---------------------------------------------------------------- Cloud Sync

ACTIVATE: Final = JobKind(name="activate", payload=ActivateSync, result=SyncActivated)

RESUME: Final = JobKind(name="resume", payload=ResumeSync, result=SyncResumed)

RENEW: Final = JobKind(name="renew", payload=RenewSync, result=SyncRenewed, queue=Queue.RENEWALS)

CHARGE_RECURRING: Final = JobKind(
    name="charge-recurring", payload=NoPayload, result=RecurringCharged, earlier_names=("charge_recurring",)
)

NOTIFY: Final = JobKind(
    name="notify", payload=Notify, result=Notified, queue=Queue.NOTIFY, attempts_max=OUTSIDE_ATTEMPTS_MAX
)


# ---------------------------------------------------------------- upkeep

ROLL_UP_USAGE: Final = JobKind(name="roll-up-usage", payload=NoPayload, result=RolledUp, every=2 * MINUTE)

PRUNE: Final = JobKind(name="prune", payload=NoPayload, result=Pruned, lease=LONG_LEASE, every=HOUR)

AUDIT: Final = JobKind(name="audit", payload=NoPayload, result=Audited, lease=LONG_LEASE, every=15 * MINUTE)

RETRY_ALL: Final = JobKind(name="retry-all", payload=RetryJobs, result=JobsRetried)


KINDS: Final[Mapping[str, AnyKind]] = {kind.name: kind for kind in tuple(vars().values()) if isinstance(kind, JobKind)}
"""Every kind by its name."""

_BY_STORED_NAME: Final = {name: kind for kind in KINDS.values() for name in kind.names}


def kind_named(name: str) -> AnyKind:
    """Find a kind by the name under which a job is stored, by this release or another one.

    A kind of a later release, found after going back to this one, has its name and no handler.
    """
    return _BY_STORED_NAME.get(name) or JobKind(name=name, payload=Payload, result=Result)
