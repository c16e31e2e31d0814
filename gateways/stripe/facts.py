"""Reading facts from Stripe's objects. JSON in, facts out; nothing is requested or written here.

Facts count, not events: `payment_intent.succeeded` and `checkout.session.completed` may hold the same one.
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
"""Holds the sum of the refunds only: the refunds are read from Stripe."""

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


def payment_in_event(event: Document) -> PaymentFact | None:
    """Read the fact of an event about the payment of one of our purchases; `None` if it holds none."""
    kind, document = event["type"], event["data"]["object"]
    if kind in INTENT_EVENTS:
        return _payment(document, INTENT_EVENTS[kind], livemode=event["livemode"])
    if kind in SESSION_EVENTS and not _is_still_unpaid(kind, document):
        return _payment(document, SESSION_EVENTS[kind], livemode=event["livemode"])
    return None


def payment_shown(document: Document) -> PaymentFact | None:
    """Read the fact of a PaymentIntent or Checkout Session of ours as it is now; `None` if it holds none yet."""
    if document.get("object") == "payment_intent":
        return _payment(document, _intent_outcome(document), livemode=document["livemode"])
    if document["status"] == "expired":
        return _payment(document, PaymentOutcome.CANCELLED, livemode=document["livemode"])
    if document["payment_status"] == "paid":
        return _payment(document, PaymentOutcome.SUCCEEDED, livemode=document["livemode"])
    return None


def takeback_shown(document: Document, *, purchase_id: UUID, livemode: bool) -> TakebackFact:
    """Read the fact of a refund, dispute or early fraud warning of a purchase.

    Raises:
        Parked: we do not know its status.
    """
    return TakebackFact(
        takeback=Takeback(
            stripe_id=document["id"],
            kind=_KINDS[document["object"]],
            purchase_id=purchase_id,
            payment_intent_id=payment_intent_of(document) or "",
            amount=EuroCents(document.get("amount", 0)),
            state=state_of(document),
        ),
        currency=document.get("currency", "eur"),  # a warning names none
        livemode=livemode,
    )


def state_of(document: Document) -> TakebackState:
    """Read how far a refund, dispute or warning is.

    Sources: https://docs.stripe.com/api/refunds/object#refund_object-status and
    https://docs.stripe.com/api/disputes/object#dispute_object-status

    Raises:
        Parked: we do not know its status, so a person must find out who has the money.
    """
    kind = _KINDS[document["object"]]
    if kind is TakebackKind.WARNING:
        return TakebackState.WATCHED
    state = _STATES[kind].get(document["status"])
    if state is None:
        raise Parked(f"Stripe's {kind.value} {document['id']} is {document['status']!r}: who has the money?")
    return state


def payment_intent_of(document: Document) -> str | None:
    """Read the PaymentIntent that a refund, dispute, warning or charge belongs to."""
    payment_intent_id: str | None = document.get("payment_intent")
    return payment_intent_id


def purchase_of(document: Document) -> UUID | None:
    """Read our purchase id from a PaymentIntent, charge or Checkout Session; `None` if the object is not ours."""
    purchase_id = (document.get("metadata") or {}).get("purchase_id") or document.get("client_reference_id")
    try:
        return UUID(purchase_id) if purchase_id else None
    except ValueError:
        return None


def _payment(document: Document, outcome: PaymentOutcome, *, livemode: bool) -> PaymentFact | None:
    purchase_id = purchase_of(document)
    if purchase_id is None:
        return None
    is_intent = document.get("object") == "payment_intent"
    return PaymentFact(
        purchase_id=purchase_id,
        outcome=outcome,
        payment_intent_id=document["id"] if is_intent else payment_intent_of(document),
        amount=document["amount"] if is_intent else document["amount_total"],
        currency=document["currency"],
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
    """Tell whether a session has completed unpaid, as with slow payment methods: a later event reports its payment."""
    return kind == "checkout.session.completed" and session.get("payment_status") != "paid"
