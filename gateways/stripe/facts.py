"""Reading Stripe's objects for the facts they tell. JSON in, facts out; nothing is asked or written here.

Facts, not events, are what counts: `payment_intent.succeeded` and `checkout.session.completed` may tell the same one.
Event types: https://docs.stripe.com/api/events/types
"""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from domain.errors import Parked
from domain.rules.purchases import PaymentFact, PaymentOutcome
from domain.rules.stripe_refunds import Takeback, TakebackFact, TakebackKind, TakebackState
from domain.units import EuroCents

Document = Mapping[str, Any]
"""An object of Stripe's API, as JSON."""

INTENT_EVENTS: Final = {
    "payment_intent.processing": PaymentOutcome.WAITING,
    "payment_intent.requires_action": PaymentOutcome.WAITING,
    "payment_intent.succeeded": PaymentOutcome.SUCCEEDED,
    "payment_intent.payment_failed": PaymentOutcome.FAILED,
    "payment_intent.canceled": PaymentOutcome.CANCELLED,
}

SESSION_EVENTS: Final = {
    "checkout.session.completed": PaymentOutcome.SUCCEEDED,
    "checkout.session.async_payment_succeeded": PaymentOutcome.SUCCEEDED,
    "checkout.session.async_payment_failed": PaymentOutcome.FAILED,
    "checkout.session.expired": PaymentOutcome.CANCELLED,
}

CHARGE_REFUNDED: Final = "charge.refunded"
"""Tells a sum, not its refunds: those are asked for."""

TAKEBACK_EVENTS: Final = (
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
    "radar.early_fraud_warning.created",
)

EVENT_TYPES: Final = (*INTENT_EVENTS, *SESSION_EVENTS, CHARGE_REFUNDED, *TAKEBACK_EVENTS)
"""Every type that changes something here: what the webhook subscribes to and reconciliation lists (at most 20)."""

_KINDS: Final = {
    "refund": TakebackKind.REFUND,
    "dispute": TakebackKind.DISPUTE,
    "radar.early_fraud_warning": TakebackKind.WARNING,
}

_STATES: Final = {
    TakebackKind.REFUND: {
        "pending": TakebackState.TAKEN,
        "requires_action": TakebackState.TAKEN,
        "succeeded": TakebackState.TAKEN,
        "failed": TakebackState.RETURNED,
        "canceled": TakebackState.RETURNED,
    },
    TakebackKind.DISPUTE: {
        "warning_needs_response": TakebackState.WATCHED,
        "warning_under_review": TakebackState.WATCHED,
        "warning_closed": TakebackState.WATCHED,
        "needs_response": TakebackState.TAKEN,
        "under_review": TakebackState.TAKEN,
        "lost": TakebackState.TAKEN,
        "won": TakebackState.RETURNED,
    },
}


def payment_told(event: Document) -> PaymentFact | None:
    """Read the fact an event tells about the payment of one of our purchases; nothing if it tells none."""
    kind, found = event["type"], event["data"]["object"]
    if kind in INTENT_EVENTS:
        return _payment(found, INTENT_EVENTS[kind], livemode=event["livemode"])
    if kind in SESSION_EVENTS and not _is_still_unpaid(kind, found):
        return _payment(found, SESSION_EVENTS[kind], livemode=event["livemode"])
    return None


def payment_shown(found: Document) -> PaymentFact | None:
    """Read what a PaymentIntent or Checkout Session of ours says now; nothing if it says nothing yet."""
    if found.get("object") == "payment_intent":
        return _payment(found, _intent_outcome(found), livemode=found["livemode"])
    if found["status"] == "expired":
        return _payment(found, PaymentOutcome.CANCELLED, livemode=found["livemode"])
    if found["payment_status"] == "paid":
        return _payment(found, PaymentOutcome.SUCCEEDED, livemode=found["livemode"])
    return None


def takeback_shown(found: Document, *, purchase_id: UUID, livemode: bool) -> TakebackFact:
    """Read what a refund, dispute or early fraud warning of a purchase says.

    Raises:
        Parked: its status is a word that we do not know.
    """
    return TakebackFact(
        takeback=Takeback(
            stripe_id=found["id"],
            kind=_KINDS[found["object"]],
            purchase_id=purchase_id,
            payment_intent_id=payment_intent_of(found) or "",
            amount=EuroCents(found.get("amount", 0)),
            state=state_of(found),
        ),
        currency=found.get("currency", "eur"),  # a warning names none
        livemode=livemode,
    )


def state_of(found: Document) -> TakebackState:
    """Read how far a refund, dispute or warning is.

    Sources: https://docs.stripe.com/api/refunds/object#refund_object-status and
    https://docs.stripe.com/api/disputes/object#dispute_object-status

    Raises:
        Parked: its status is a word that we do not know, or one that does not say who has the money.
    """
    kind = _KINDS[found["object"]]
    if kind is TakebackKind.WARNING:
        return TakebackState.WATCHED
    state = _STATES[kind].get(found["status"])
    if state is None:
        raise Parked(f"Stripe's {kind.value} {found['id']} is {found['status']!r}: who has the money?")
    return state


def payment_intent_of(found: Document) -> str | None:
    """Read the PaymentIntent that a refund, dispute, warning or charge belongs to."""
    told: str | None = found.get("payment_intent")
    return told


def purchase_of(found: Document) -> UUID | None:
    """Read our purchase id from a PaymentIntent, charge or Checkout Session; nothing if the object is not ours."""
    told = (found.get("metadata") or {}).get("purchase_id") or found.get("client_reference_id")
    try:
        return UUID(told) if told else None
    except ValueError:
        return None


def _payment(found: Document, outcome: PaymentOutcome, *, livemode: bool) -> PaymentFact | None:
    purchase_id = purchase_of(found)
    if purchase_id is None:
        return None
    is_intent = found.get("object") == "payment_intent"
    return PaymentFact(
        purchase_id=purchase_id,
        outcome=outcome,
        payment_intent_id=found["id"] if is_intent else payment_intent_of(found),
        amount=found["amount"] if is_intent else found["amount_total"],
        currency=found["currency"],
        livemode=livemode,
    )


def _intent_outcome(intent: Document) -> PaymentOutcome:
    match intent["status"]:
        case "succeeded":
            return PaymentOutcome.SUCCEEDED
        case "canceled":
            return PaymentOutcome.CANCELLED
        case "requires_payment_method" if intent.get("last_payment_error"):
            return PaymentOutcome.FAILED
        case _:
            return PaymentOutcome.WAITING


def _is_still_unpaid(kind: str, session: Document) -> bool:
    """A session of a slow payment method completes unpaid; its money is told by a later event."""
    return kind == "checkout.session.completed" and session.get("payment_status") != "paid"
