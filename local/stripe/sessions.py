"""How a Checkout Session changes when the status of its payment changes.

Source: https://docs.stripe.com/payments/checkout/fulfill-orders (with delayed methods the session is complete first and
paid later).
"""

from local.stripe.call import Call
from local.stripe.documents import Document


def find_by_intent(call: Call, intent_id: str) -> Document | None:
    """Return the Checkout Session that created a PaymentIntent; `None` if there is none."""
    sessions = call.state.find_by("checkout.session", "payment_intent", intent_id)
    return sessions[0] if sessions else None


def payment_succeeded(call: Call, intent: Document) -> None:
    """Complete the session; if it is complete already, emit the event of the late success."""
    session = find_by_intent(call, intent["id"])
    if session is None:
        return
    is_late = session["status"] == "complete"
    paid = call.change(session, status="complete", payment_status="paid", url=None)
    call.emit("checkout.session.async_payment_succeeded" if is_late else "checkout.session.completed", paid)


def payment_processing(call: Call, intent: Document) -> None:
    """Complete the session before the money arrives."""
    session = find_by_intent(call, intent["id"])
    if session is not None:
        complete = call.change(session, status="complete", payment_status="unpaid", url=None)
        call.emit("checkout.session.completed", complete)


def payment_failed(call: Call, intent: Document) -> None:
    """Emit the event of a complete session's late failure; an open session stays open for another attempt."""
    session = find_by_intent(call, intent["id"])
    if session is not None and session["status"] == "complete":
        call.emit("checkout.session.async_payment_failed", session)
