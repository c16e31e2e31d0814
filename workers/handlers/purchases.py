"""Jobs about purchases: create at Stripe what the buyer pays, end purchases that nobody pays."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from domain.operations.purchases import attach_payment, cancel_unpaid
from domain.operations.reconciliation import record_cancellations
from domain.operations.stripe import keep_customer
from domain.rules.job_kinds import ABANDONED, CANCEL, PURCHASE
from domain.rules.job_payloads import CancelPurchase, Found, OpenPayment, PaymentOpened, Settled
from domain.rules.jobs import Job, NoPayload
from domain.rules.purchases import Purchase, PurchaseStatus
from domain.store import Store
from domain.store import purchases as purchase_rows
from domain.store import stripe as stripe_rows
from process.parts import WorkerParts
from workers.handlers.stripe_events import facts_shown, settle
from workers.registry import handles


@handles(PURCHASE)
def open_payment(payload: OpenPayment, _job: Job, parts: WorkerParts) -> Callable[[Store], PaymentOpened]:
    """Create the Stripe customer, and a PaymentIntent or, when the buyer gave URLs, a Checkout Session.

    A crash after a call to Stripe leaves an object there that this database does not know yet; the next attempt asks
    with the same idempotency key and gets the same object.
    """
    with parts.database.read() as reader:
        purchase = purchase_rows.get(reader, payload.purchase_id)
        customer_id = stripe_rows.customer_of(reader, purchase.user_id)
    payment = parts.stripe.ensure_payment(purchase, customer_id or _create_customer(purchase, parts))
    return partial(attach_payment, purchase_id=purchase.id, payment=payment)


def _create_customer(purchase: Purchase, parts: WorkerParts) -> str:
    customer_id = parts.stripe.ensure_customer(purchase.user_id)
    with parts.database.begin() as store:
        return keep_customer(store, user_id=purchase.user_id, customer_id=customer_id, now=datetime.now(UTC))


@handles(ABANDONED)
def find_abandoned(_payload: NoPayload, _job: Job, parts: WorkerParts) -> Callable[[Store], Found]:
    """Record a job for each purchase that nobody paid within a day, a batch in a transaction."""
    count = 0
    while True:
        with parts.database.begin() as store:
            recorded = record_cancellations(store, now=datetime.now(UTC))
        parts.bell.ring(*recorded)
        count += len(recorded)
        if not recorded:
            return lambda _store: Found(found=count)


@handles(CANCEL)
def cancel_purchase(payload: CancelPurchase, _job: Job, parts: WorkerParts) -> Callable[[Store], Settled]:
    """End a purchase that nobody paid, at Stripe first; one that is paid or being paid is settled by its events.

    A crash after the call leaves an object cancelled at Stripe, which its event reports and the next attempt reads.
    """
    with parts.database.read() as reader:
        purchase = purchase_rows.get(reader, payload.purchase_id)
    if purchase.status not in {PurchaseStatus.PENDING, PurchaseStatus.FAILED}:
        return lambda _store: Settled(status=purchase.status)
    ended = parts.stripe_reader.end_unpaid(purchase)
    if ended is None:
        return partial(cancel_unpaid, purchase_id=purchase.id, now=datetime.now(UTC))
    return partial(settle, facts=facts_shown(ended, parts), livemode=parts.livemode, now=datetime.now(UTC))
