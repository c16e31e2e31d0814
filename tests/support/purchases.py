"""Purchases: packages on sale, purchases that were started, and what Stripe says about their payments."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from domain.ids import new_id
from domain.operations import jobs
from domain.operations import purchases as purchase_acts
from domain.rules.purchases import PaymentFact, PaymentOutcome, StripeObjects
from domain.store import Database
from domain.store import packages as package_rows
from domain.store.database import Store
from domain.units import Credits, EuroCents, UserId
from tests.support.times import NOW

INTENT: Final = StripeObjects(customer_id="cus_1", payment_intent_id="pi_1", client_secret="pi_1_secret_1")
SESSION: Final = StripeObjects(
    customer_id="cus_1", checkout_session_id="cs_1", checkout_url="https://checkout.example/cs_1"
)


def offer(database: Database, *, name: str = "Starter", amount: int = 500, price: int = 499, order: int = 1) -> UUID:
    """Put a package on sale; returns its id."""
    with database.begin() as store:
        package = package_rows.add(
            store,
            name=name,
            credit_count=Credits(amount),
            price=EuroCents(price),
            description=f"{amount} credits",
            sort_order=order,
            now=NOW,
        )
    assert package is not None
    return package.id


def start_purchase(
    store: Store, *, package_id: UUID, user_id: str = "anna", at: datetime = NOW
) -> purchase_acts.PurchaseStarted:
    """Start a purchase as the API would."""
    return purchase_acts.start_purchase(
        store,
        user_id=UserId(user_id),
        package_id=package_id,
        redirects=None,
        key=None,
        request_id=new_id().hex,
        now=at,
    )


def finish_purchase_job(database: Database, job_id: str, stripe_objects: StripeObjects) -> None:
    """Do a purchase's job as a worker would, with what was made at Stripe."""
    with database.begin() as store:
        job = jobs.start(store, UUID(job_id), token=new_id())
        assert job is not None
        purchase_id = UUID(job.payload["purchaseId"])
        assert jobs.finish(
            store, job, lambda s: purchase_acts.attach_payment(s, purchase_id=purchase_id, payment=stripe_objects)
        )


def payment_fact(
    purchase_id: UUID | str,
    outcome: PaymentOutcome = PaymentOutcome.SUCCEEDED,
    *,
    payment_intent_id: str | None = "pi_1",
    amount: int = 499,
    currency: str = "eur",
    livemode: bool = False,
) -> PaymentFact:
    """Build what Stripe says about a purchase's payment."""
    return PaymentFact(
        purchase_id=UUID(str(purchase_id)),
        outcome=outcome,
        payment_intent_id=payment_intent_id,
        amount=amount,
        currency=currency,
        livemode=livemode,
    )


def settle(database: Database, payment: PaymentFact) -> Any:
    """Let the service hear of a payment."""
    with database.begin() as store:
        return purchase_acts.settle_payment(store, payment=payment, livemode=False, now=NOW)
