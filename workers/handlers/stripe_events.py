"""Jobs of kind `stripe`: a stored event, read for the fact it tells.

Facts, not events, are what counts: `payment_intent.succeeded` and `checkout.session.completed` may tell the same one.
Event types: https://docs.stripe.com/api/events/types
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

from domain.operations.jobs import Write
from domain.operations.purchases import settle_payment
from domain.rules.jobs import Job
from domain.rules.purchases import PaymentFact, PaymentOutcome
from domain.store import Store
from workers.resources import Resources

PAYMENT_INTENT_OUTCOMES: Final = {
    "payment_intent.succeeded": PaymentOutcome.SUCCEEDED,
    "payment_intent.payment_failed": PaymentOutcome.FAILED,
    "payment_intent.canceled": PaymentOutcome.CANCELLED,
}

SESSION_OUTCOMES: Final = {
    "checkout.session.completed": PaymentOutcome.SUCCEEDED,
    "checkout.session.async_payment_succeeded": PaymentOutcome.SUCCEEDED,
    "checkout.session.async_payment_failed": PaymentOutcome.FAILED,
    "checkout.session.expired": PaymentOutcome.CANCELLED,
}


def settle_event(job: Job, with_: Resources) -> Write:
    """Let the event's fact change its purchase. Events of other objects and types are done as they are."""
    fact = fact_of(job.payload["event"])
    if fact is None:
        return ignore
    return partial(settle_payment, payment=fact, livemode=with_.livemode, now=datetime.now(UTC))


def ignore(_store: Store) -> Mapping[str, Any]:
    """Change nothing: the event is kept, and is none of ours."""
    return {"ignored": True}


def fact_of(event: Mapping[str, Any]) -> PaymentFact | None:
    """Read the fact an event tells about one of our purchases; nothing if it tells none.

    Args:
        event: An Event object of Stripe's API, as JSON.
    """
    kind, found = event["type"], event["data"]["object"]
    purchase_id = purchase_of(found)
    if purchase_id is None:
        return None
    if kind in PAYMENT_INTENT_OUTCOMES:
        return PaymentFact(
            purchase_id=purchase_id,
            outcome=PAYMENT_INTENT_OUTCOMES[kind],
            payment_intent_id=found["id"],
            amount=found["amount"],
            currency=found["currency"],
            livemode=event["livemode"],
        )
    if kind in SESSION_OUTCOMES and not _is_still_unpaid(kind, found):
        return PaymentFact(
            purchase_id=purchase_id,
            outcome=SESSION_OUTCOMES[kind],
            payment_intent_id=found.get("payment_intent"),
            amount=found["amount_total"],
            currency=found["currency"],
            livemode=event["livemode"],
        )
    return None


def purchase_of(found: Mapping[str, Any]) -> UUID | None:
    """Read our purchase id from a PaymentIntent or Checkout Session; nothing if the object is not ours."""
    told = (found.get("metadata") or {}).get("purchase_id") or found.get("client_reference_id")
    try:
        return UUID(told) if told else None
    except ValueError:
        return None


def _is_still_unpaid(kind: str, session: Mapping[str, Any]) -> bool:
    """A session of a slow payment method completes unpaid; its money is told by a later event."""
    return kind == "checkout.session.completed" and session.get("payment_status") != "paid"
