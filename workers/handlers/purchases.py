"""Jobs about purchases: make at Stripe what the buyer will pay, refund it, end what nobody pays."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

from domain.operations.jobs import Write
from domain.operations.purchases import attach_payment, cancel_unpaid, get_purchase
from domain.operations.reconciliation import record_cancellations
from domain.rules.jobs import Job
from domain.rules.purchases import PurchaseStatus
from domain.store import Store
from domain.store import purchases as purchase_rows
from process.parts import WorkerParts
from workers.handlers.stripe_events import facts_shown, settle


def open_payment(job: Job, parts: WorkerParts) -> Write:
    """Make the Stripe customer, and a PaymentIntent or, when the buyer gave URLs, a Checkout Session.

    A crash after a call to Stripe leaves an object there that this database does not know yet; the next try asks with
    the same idempotency key and gets the same object.
    """
    purchase_id = UUID(job.payload["purchaseId"])
    with parts.database.begin() as store:
        purchase = get_purchase(store, purchase_id)
        customer_id = purchase_rows.customer_of(store, purchase.user_id)
    if customer_id is None:
        made_id = parts.stripe.ensure_customer(purchase.user_id)
        with parts.database.begin() as store:
            purchase_rows.set_customer(store, purchase.user_id, made_id, now=datetime.now(UTC))
            # The first one written stays, whoever wrote it.
            customer_id = purchase_rows.customer_of(store, purchase.user_id) or made_id
    made = parts.stripe.ensure_payment(purchase, customer_id)
    return partial(attach_payment, purchase_id=purchase_id, made=made)


def refund_purchase(job: Job, parts: WorkerParts) -> Write:
    """Ask Stripe for a refund. The credits go back when Stripe tells of it, as for a refund of any other origin.

    A crash after the call leaves a refund whose event does the rest; the next try finds the same refund by its key.
    """
    told = job.payload
    with parts.database.single() as store:
        purchase = get_purchase(store, UUID(told["purchaseId"]))
    refund_id = parts.stripe.ensure_refund(
        purchase, amount=told["amount"], reason=told["reason"], asked_before=told["askedBefore"]
    )
    return lambda _store: {"purchaseId": told["purchaseId"], "refundId": refund_id, "amount": told["amount"]}


def find_abandoned(_job: Job, parts: WorkerParts) -> Write:
    """Record a job for each purchase that nobody paid within a day, a batch in a transaction."""
    found = 0
    while True:
        with parts.database.begin() as store:
            fresh = record_cancellations(store, now=datetime.now(UTC))
        parts.bell.ring(*fresh)
        found += len(fresh)
        if not fresh:
            return lambda _store: {"found": found}


def cancel_purchase(job: Job, parts: WorkerParts) -> Write:
    """End a purchase that nobody paid, at Stripe first; one that is paid or on its way there is left to its events.

    A crash after the call leaves something cancelled at Stripe, which its event tells, and the next try sees.
    """
    purchase_id = UUID(job.payload["purchaseId"])
    with parts.database.single() as store:
        purchase = get_purchase(store, purchase_id)
    if purchase.status not in {PurchaseStatus.PENDING, PurchaseStatus.FAILED}:
        return partial(_as_it_is, status=purchase.status)
    ended = parts.stripe_reader.end_unpaid(purchase)
    if ended is None:
        return partial(cancel_unpaid, purchase_id=purchase_id, now=datetime.now(UTC))
    told = facts_shown(ended, parts)
    return partial(settle, told=told, livemode=parts.livemode, now=datetime.now(UTC))


def _as_it_is(_store: Store, *, status: PurchaseStatus) -> Mapping[str, Any]:
    return {"status": status.value}
