"""Jobs of kind `purchase`: make at Stripe what the buyer will pay."""

from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from domain.operations.jobs import Write
from domain.operations.purchases import attach_payment, get_purchase
from domain.rules.jobs import Job
from domain.store import purchases as purchase_rows
from workers.resources import Resources


def open_payment(job: Job, with_: Resources) -> Write:
    """Make the Stripe customer, and a PaymentIntent or, when the buyer gave URLs, a Checkout Session.

    A crash after a call to Stripe leaves an object there that this database does not know yet; the next try asks with
    the same idempotency key and gets the same object.
    """
    purchase_id = UUID(job.payload["purchaseId"])
    with with_.database.begin() as store:
        purchase = get_purchase(store, purchase_id)
        customer_id = purchase_rows.customer_of(store, purchase.user_id)
    if customer_id is None:
        customer_id = with_.stripe.ensure_customer(purchase.user_id)
        with with_.database.begin() as store:
            purchase_rows.set_customer(store, purchase.user_id, customer_id, now=datetime.now(UTC))
    made = with_.stripe.ensure_payment(purchase, customer_id)
    return partial(attach_payment, purchase_id=purchase_id, made=made)
