"""Purchases: from the request for a package to the credits in the ledger."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

from domain.errors import NotFound, Parked
from domain.ids import new_id
from domain.operations.jobs import record
from domain.operations.stripe_refunds import level_credits
from domain.rules.idempotency import ClientKey, job_keys
from domain.rules.job_kinds import PURCHASE
from domain.rules.job_payloads import OpenPayment, PaymentOpened, Settled
from domain.rules.jobs import NewJob, Recorded
from domain.rules.ledger import Movement, TransactionType
from domain.rules.purchases import (
    UNPAID_MAX,
    UNPAID_PERIOD,
    PaymentFact,
    PaymentOutcome,
    Purchase,
    PurchaseStatus,
    Redirects,
    StripeObjects,
    check_payment,
    check_unpaid,
    next_status,
)
from domain.rules.stripe_refunds import STRIPE_APP
from domain.store import Store, ledger
from domain.store import packages as package_rows
from domain.store import purchases as purchase_rows
from domain.units import UserId

KEEP_CANCELLED: Final = timedelta(days=91)
"""How long a cancelled purchase is kept; longer than Stripe lists its events, and than the database asks (90 days)."""

PRUNE_BATCH: Final = 5_000


@dataclass(frozen=True, kw_only=True)
class PurchaseStarted:
    """A recorded purchase and the job that creates its payment at Stripe."""

    purchase_id: UUID
    recorded: Recorded[OpenPayment, PaymentOpened]


def start_purchase(
    store: Store,
    *,
    user_id: UserId,
    package_id: UUID,
    redirects: Redirects | None,
    key: ClientKey | None,
    request_id: str | None,
    now: datetime,
) -> PurchaseStarted:
    """Record a pending purchase and its job, once per key.

    Raises:
        TooManyPurchases: the user has started too many that are not paid. A repeated key is answered all the same.
        NotFound: no such package is on sale.
        KeyReused: the key came before, with another request.
    """
    purchase_id = new_id()
    new = NewJob(
        kind=PURCHASE,
        payload=OpenPayment(user_id=user_id, purchase_id=purchase_id),
        request_id=request_id,
        **job_keys(key, user_id=user_id, natural=f"purchase:{purchase_id}"),
    )
    recorded = record(store, new)
    if not recorded.replayed:
        package = package_rows.find(store, package_id)
        if package is None or not package.active:
            raise NotFound("Package")  # rolls the job back too; a repeated key never comes here
        _check_unpaid(store, user_id, now=now)
        own_redirects = redirects.of(purchase_id) if redirects else None
        purchase_rows.add(store, purchase_id, user_id=user_id, package=package, redirects=own_redirects, now=now)
    return PurchaseStarted(purchase_id=recorded.payload.purchase_id, recorded=recorded)


def _check_unpaid(store: Store, user_id: UserId, *, now: datetime) -> None:
    """Make sure that a user may start one more purchase; see `domain.rules.purchases.check_unpaid`."""
    # The lock comes first: of many requests at once, each counts the purchases of those before it.
    purchase_rows.lock_user(store, user_id)
    most = max(UNPAID_MAX.values())
    check_unpaid(purchase_rows.unpaid_since(store, user_id, since=now - UNPAID_PERIOD, most=most), now=now)


def attach_payment(store: Store, *, purchase_id: UUID, payment: StripeObjects) -> PaymentOpened:
    """Write down what was created at Stripe for a purchase, and return what the buyer needs to pay."""
    purchase_rows.attach(store, purchase_id, payment)
    purchase = purchase_rows.get(store, purchase_id)
    return PaymentOpened(
        purchase_id=purchase.id,
        client_secret=payment.client_secret,
        amount=purchase.price_euro_cents,
        credits=purchase.credits,
        checkout_url=payment.checkout_url,
    )


def settle_payment(store: Store, *, payment: PaymentFact, livemode: bool, now: datetime) -> Settled:
    """Change a purchase by a fact about its payment: credit it, once, when the money was received.

    Any number of events may hold the same fact, in any order: they wait for the purchase's lock, its status only moves
    forward, and the movement key credits it once.

    Args:
        livemode: Whether this service expects real money.

    Raises:
        Parked: the purchase is unknown, or the payment is not the one it waits for.
    """
    purchase = purchase_rows.lock(store, payment.purchase_id)
    if purchase is None:
        raise Parked(f"Stripe knows a payment for purchase {payment.purchase_id}, which is not in this database")
    check_payment(purchase, payment, livemode=livemode)
    status = next_status(purchase.status, payment.outcome)
    if status is not purchase.status:
        purchase_rows.set_status(store, purchase, status, payment_intent_id=payment.payment_intent_id, now=now)
    if payment.outcome is not PaymentOutcome.SUCCEEDED:
        return Settled(purchase_id=purchase.id, status=status)
    credited = ledger.append(store, _credit(purchase, payment), now=now)
    # Stripe may have reported a refund or dispute before the payment.
    level = level_credits(store, purchase.id, now=now)
    return msgspec.structs.replace(
        level,
        status=level.status or status,
        transaction_id=credited.transaction.id,
        already_credited=credited.replayed,
    )


def cancel_unpaid(store: Store, *, purchase_id: UUID, now: datetime) -> Settled:
    """Cancel a purchase for which nothing was created at Stripe. If it is paid after all, it still completes."""
    purchase = purchase_rows.lock(store, purchase_id)
    if purchase is None:
        raise NotFound("Purchase")
    status = purchase.status
    if needs_payment(purchase):
        status = next_status(status, PaymentOutcome.CANCELLED)
        purchase_rows.set_status(store, purchase, status, payment_intent_id=None, now=now)
    return Settled(purchase_id=purchase_id, status=status)


def prune(store: Store, *, now: datetime) -> int:
    """Delete a batch of old purchases that were cancelled because nobody paid them; returns how many."""
    return purchase_rows.prune(store, before=now - KEEP_CANCELLED, most=PRUNE_BATCH)


def needs_payment(purchase: Purchase) -> bool:
    """Tell whether the worker still has to create something at Stripe for this purchase."""
    object_id = purchase.stripe_payment_intent_id or purchase.stripe_checkout_session_id
    return object_id is None and purchase.status is PurchaseStatus.PENDING


def _credit(purchase: Purchase, payment: PaymentFact) -> Movement:
    return Movement(
        user_id=purchase.user_id,
        type=TransactionType.PURCHASE,
        amount=purchase.credits,
        app_id=STRIPE_APP,
        counterparty=f"stripe:{purchase.id}",
        description=f"Credit purchase: {purchase.package_name}",
        movement_key=f"purchase:{purchase.id}",
        metadata={"purchaseId": str(purchase.id), "paymentIntentId": payment.payment_intent_id},
    )
