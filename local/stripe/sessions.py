"""What a Checkout Session does when its payment moves on.

Source: https://docs.stripe.com/payments/checkout/fulfill-orders (delayed methods complete first, pay later).
"""

from local.stripe.call import Call
from local.stripe.documents import Document


def of_intent(call: Call, intent_id: str) -> Document | None:
    """Find the Checkout Session that made a PaymentIntent."""
    found = call.state.find("checkout.session", "json_extract(document, '$.payment_intent') = ?", (intent_id,), limit=1)
    return found[0] if found else None


def payment_succeeded(call: Call, intent: Document) -> None:
    """Complete the session, or report the late success of one that is complete."""
    session = of_intent(call, intent["id"])
    if session is None:
        return
    late = session["status"] == "complete"
    paid = call.change(session, status="complete", payment_status="paid", url=None)
    call.emit("checkout.session.async_payment_succeeded" if late else "checkout.session.completed", paid)


def payment_processing(call: Call, intent: Document) -> None:
    """Complete the session before the money is there."""
    session = of_intent(call, intent["id"])
    if session is not None:
        complete = call.change(session, status="complete", payment_status="unpaid", url=None)
        call.emit("checkout.session.completed", complete)


def payment_failed(call: Call, intent: Document) -> None:
    """Report the late failure of a complete session; an open one stays open for another attempt."""
    session = of_intent(call, intent["id"])
    if session is not None and session["status"] == "complete":
        call.emit("checkout.session.async_payment_failed", session)
