"""Purchases: from the wish for a package to the credits in the ledger."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.errors import NotFound, Parked
from domain.ids import new_id
from domain.operations.jobs import record
from domain.operations.takebacks import level_credits
from domain.rules.idempotency import ClientKey
from domain.rules.jobs import JobKind, NewJob, Recorded
from domain.rules.ledger import Movement, TransactionType
from domain.rules.purchases import (
    Package,
    PaymentFact,
    PaymentOutcome,
    Purchase,
    PurchaseStatus,
    Redirects,
    StripeObjects,
    check_payment,
    next_status,
)
from domain.rules.takebacks import STRIPE_APP
from domain.store import Store, ledger
from domain.store import packages as package_rows
from domain.store import purchases as rows
from domain.units import UserId


@dataclass(frozen=True, kw_only=True)
class PurchaseStarted:
    """A recorded purchase and the job that will make its payment at Stripe."""

    purchase_id: UUID
    recorded: Recorded


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
        NotFound: no such package is on sale.
        KeyReused: the key came before, with another request.
    """
    purchase_id = new_id()
    new = NewJob(
        kind=JobKind.PURCHASE,
        key=key.job_key(user_id) if key else f"purchase:{purchase_id}",
        user_id=user_id,
        payload={"purchaseId": str(purchase_id)},
        request_hash=key.request_hash if key else None,
        request_id=request_id,
    )
    recorded = record(store, new)
    if not recorded.replayed:
        package = package_rows.find(store, package_id)
        if package is None or not package.active:
            raise NotFound("Package")  # takes the job back with it; a repeated key never comes here
        back = redirects.of(purchase_id) if redirects else None
        rows.add(store, purchase_id, user_id=user_id, package=package, redirects=back, now=now)
    return PurchaseStarted(purchase_id=UUID(recorded.job.payload["purchaseId"]), recorded=recorded)


def attach_payment(store: Store, *, purchase_id: UUID, made: StripeObjects) -> Mapping[str, Any]:
    """Write down what was made at Stripe for a purchase, and answer what the buyer needs to pay."""
    rows.attach(store, purchase_id, made)
    purchase = get_purchase(store, purchase_id)
    return {
        "purchaseId": str(purchase.id),
        "clientSecret": made.client_secret,
        "amount": purchase.price_euro_cents,
        "credits": purchase.credits,
        "checkoutUrl": made.checkout_url,
    }


def settle_payment(store: Store, *, payment: PaymentFact, livemode: bool, now: datetime) -> Mapping[str, Any]:
    """Let a fact about a payment change its purchase: credit it, once, when the money came.

    Any number of events may tell the same fact, in any order: the purchase's lock makes them queue, its status only
    moves forward, and the movement key lets the credits in once.

    Args:
        livemode: Whether this house expects real money.

    Raises:
        Parked: the purchase is unknown, or the payment is not the one it waits for.
    """
    purchase = rows.lock(store, payment.purchase_id)
    if purchase is None:
        raise Parked(f"Stripe knows a payment for purchase {payment.purchase_id}, which is not in this database")
    check_payment(purchase, payment, livemode=livemode)
    status = next_status(purchase.status, payment.outcome)
    if status is not purchase.status:
        rows.set_status(store, purchase, status, payment_intent_id=payment.payment_intent_id, now=now)
    if payment.outcome is not PaymentOutcome.SUCCEEDED:
        return {"purchaseId": str(purchase.id), "status": status.value}
    credited = ledger.append(store, _credit(purchase, payment), now=now)
    # A refund or dispute may have been told before the payment was.
    level = level_credits(store, purchase.id, now=now)
    return {
        "status": status.value,
        **level,
        "transactionId": str(credited.transaction.id),
        "alreadyCredited": credited.replayed,
    }


def cancel_unpaid(store: Store, *, purchase_id: UUID, now: datetime) -> Mapping[str, Any]:
    """Cancel a purchase for which nothing was made at Stripe. One that is paid after all completes all the same."""
    purchase = rows.lock(store, purchase_id)
    if purchase is None:
        raise NotFound("Purchase")
    status = purchase.status
    if needs_payment(purchase):
        status = next_status(status, PaymentOutcome.CANCELLED)
        rows.set_status(store, purchase, status, payment_intent_id=None, now=now)
    return {"purchaseId": str(purchase_id), "status": status.value}


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


def get_purchase(store: Store, purchase_id: UUID, *, owner: UserId | None = None) -> Purchase:
    """Read a purchase.

    Args:
        owner: Who asks; `None` for the house itself.

    Raises:
        NotFound: there is no such purchase, or it is not the owner's.
    """
    purchase = rows.find(store, purchase_id)
    if purchase is None or (owner is not None and purchase.user_id != owner):
        raise NotFound("Purchase")
    return purchase


def purchase_of_payment(store: Store, payment_intent_id: str) -> UUID | None:
    """Find the purchase that a PaymentIntent pays; nothing if it is not known here."""
    return rows.of_payment(store, payment_intent_id)


def purchases_of(
    store: Store, *, user_id: UserId, limit: int, offset: int = 0, older_than: tuple[datetime, UUID] | None = None
) -> list[Purchase]:
    """Read a user's purchases, newest first; `older_than` continues behind one already seen."""
    return rows.of_user(store, user_id, limit=limit, offset=offset, older_than=older_than)


def packages_on_sale(store: Store) -> list[Package]:
    """Read the packages that can be bought, in the order they are offered."""
    return package_rows.all_packages(store, only_active=True)


def needs_payment(purchase: Purchase) -> bool:
    """Tell whether the worker still has to make something at Stripe for this purchase."""
    made = purchase.stripe_payment_intent_id or purchase.stripe_checkout_session_id
    return made is None and purchase.status is PurchaseStatus.PENDING
