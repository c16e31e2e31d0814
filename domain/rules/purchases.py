"""Purchases: credit packages, and how a payment at Stripe changes a purchase."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from domain.errors import Parked, TooManyPurchases
from domain.units import Credits, EuroCents, UserId

CURRENCY: Final = "eur"
PURCHASE_ID: Final = "{PURCHASE_ID}"
"""What stands in a redirect for the id of the purchase, which its client cannot know yet."""

UNPAID_MAX: Final[Mapping[timedelta, int]] = {timedelta(hours=1): 10, timedelta(hours=24): 30}
"""How many purchases that are not paid a user may have started within each of these periods.

This bounds what waits to be paid, and the cards that one account can try: each purchase is a payment at Stripe.
"""

UNPAID_PERIOD: Final = max(UNPAID_MAX)


class PurchaseStatus(StrEnum):
    """Where a purchase is. It only moves forward; a failed or cancelled one completes when it is paid after all."""

    PENDING = "pending"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"


@dataclass(frozen=True, kw_only=True)
class Package:
    """Credits on sale, at a price in euro cents."""

    id: UUID
    name: str
    description: str
    credits: Credits
    price_euro_cents: EuroCents
    stripe_price_id: str | None
    active: bool
    sort_order: int
    metadata: Mapping[str, Any] | None


@dataclass(frozen=True, kw_only=True)
class Redirects:
    """Where a Stripe Checkout sends its visitor afterwards."""

    success_url: str
    cancel_url: str

    def of(self, purchase_id: UUID) -> "Redirects":
        """Name the purchase in the addresses that ask for it with `{PURCHASE_ID}`."""
        return Redirects(
            success_url=self.success_url.replace(PURCHASE_ID, str(purchase_id)),
            cancel_url=self.cancel_url.replace(PURCHASE_ID, str(purchase_id)),
        )


@dataclass(frozen=True, kw_only=True)
class Purchase:
    """A package that a user buys, with the credits and the price of the moment of the request.

    Attributes:
        refunded_euro_cents: What of the price went back to the buyer, by refunds and disputes.
        taken_back_credits: The credits that were taken back for it.
        takeback_movements: How often credits moved for that; the number in the last movement's key.
    """

    id: UUID
    user_id: UserId
    package_id: UUID
    package_name: str
    credits: Credits
    price_euro_cents: EuroCents
    status: PurchaseStatus
    redirects: Redirects | None
    stripe_customer_id: str | None
    stripe_payment_intent_id: str | None
    stripe_checkout_session_id: str | None
    client_secret: str | None
    checkout_url: str | None
    metadata: Mapping[str, Any] | None
    created_at: datetime
    completed_at: datetime | None
    refunded_euro_cents: EuroCents
    taken_back_credits: Credits
    takeback_movements: int


@dataclass(frozen=True, kw_only=True)
class StripeObjects:
    """What the worker created at Stripe for a purchase: a PaymentIntent, or a Checkout Session."""

    customer_id: str
    payment_intent_id: str | None = None
    client_secret: str | None = None
    checkout_session_id: str | None = None
    checkout_url: str | None = None


@dataclass(frozen=True, kw_only=True)
class StripeRequest:
    """Which idempotency key to use at Stripe for an object that must be created once only.

    Attributes:
        generation: Counts the keys; the key is made from the subject and this number.
        first_at: When the key of this generation was first used.
        is_doubtful: The key of this generation no longer protects: look for the object before using the next key.
    """

    subject: str
    generation: int
    first_at: datetime
    is_doubtful: bool


class PaymentOutcome(StrEnum):
    """The state of a purchase's payment at Stripe. `waiting`: it is on its way, or waits for the buyer."""

    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, kw_only=True)
class PaymentFact:
    """A fact about one payment, as Stripe reported it.

    Attributes:
        payment_intent_id: Absent where a Checkout Session ended without one.
        amount: What was to be paid, in the smallest unit of `currency`.
        livemode: Whether it was real money.
    """

    purchase_id: UUID
    outcome: PaymentOutcome
    payment_intent_id: str | None
    amount: int
    currency: str
    livemode: bool


def check_unpaid(started_at: Sequence[datetime], *, now: datetime) -> None:
    """Make sure that a user may start one more purchase.

    Args:
        started_at: When the user's unpaid purchases of the last `UNPAID_PERIOD` were started, newest first.

    Raises:
        TooManyPurchases: it would be one more than `UNPAID_MAX` in one of the periods.
    """
    for period, unpaid_max in UNPAID_MAX.items():
        if len(started_at) < unpaid_max:
            continue
        until = started_at[unpaid_max - 1] + period
        if until > now:
            raise TooManyPurchases(
                unpaid_max=unpaid_max,
                period_s=int(period.total_seconds()),
                retry_after_s=math.ceil((until - now).total_seconds()),
            )


def check_payment(purchase: Purchase, payment: PaymentFact, *, livemode: bool) -> None:
    """Make sure that a payment is the one this purchase waits for.

    Raises:
        Parked: amount, currency, mode or PaymentIntent differ: a person must look.
    """
    intent_id = purchase.stripe_payment_intent_id
    expected = {
        "livemode": (livemode, payment.livemode),
        "currency": (CURRENCY, payment.currency),
        "amount": (purchase.price_euro_cents, payment.amount),
        "payment intent": (intent_id or payment.payment_intent_id, payment.payment_intent_id or intent_id),
    }
    wrong = mismatches(expected)
    if wrong:
        raise Parked(f"Stripe's payment does not match purchase {purchase.id}: {wrong}")


def mismatches(expected: Mapping[str, tuple[object, object]]) -> str:
    """Describe which values differ, for a person to read; empty if none does.

    Args:
        expected: By name, our value and Stripe's.
    """
    return ", ".join(
        f"{name} {theirs} instead of {ours}" for name, (ours, theirs) in expected.items() if ours != theirs
    )


def next_status(status: PurchaseStatus, outcome: PaymentOutcome) -> PurchaseStatus:
    """Tell the status a fact leads to. Facts come in any order and number: a payment received outweighs all others."""
    match outcome:
        case PaymentOutcome.WAITING:
            return status
        case PaymentOutcome.SUCCEEDED:
            return status if status is PurchaseStatus.REFUNDED else PurchaseStatus.COMPLETED
        case PaymentOutcome.FAILED:
            return PurchaseStatus.FAILED if status is PurchaseStatus.PENDING else status
        case PaymentOutcome.CANCELLED:
            unpaid = status in {PurchaseStatus.PENDING, PurchaseStatus.FAILED}
            return PurchaseStatus.CANCELLED if unpaid else status
