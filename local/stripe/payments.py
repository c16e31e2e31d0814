"""Payment attempts: how a PaymentIntent's status changes, with its charges and events.

Source: https://docs.stripe.com/payments/paymentintents/lifecycle
"""

from local.stripe import charges, disputes, errors, payment_methods, radar, sessions
from local.stripe.call import Call
from local.stripe.documents import Document
from local.stripe.instruments import Aftermath, Instrument, Outcome


def attempt(call: Call, intent: Document, *, return_url: str | None = None, off_session: bool = False) -> Document:
    """Try to take an intent's amount with its PaymentMethod.

    Args:
        call: The call that causes it.
        intent: A PaymentIntent with `payment_method` set, whose status allows a confirmation.
        return_url: Where the customer is sent after the authentication.
        off_session: Whether the customer is absent; then a card that requires authentication is declined.

    Returns:
        The intent after the attempt: `succeeded`, `processing`, `requires_action`, or `requires_payment_method` after a
        decline.
    """
    instrument = payment_methods.instrument_of(call, intent["payment_method"])
    match instrument.outcome:
        case Outcome.SUCCEEDS:
            return _succeed(call, intent, instrument)
        case Outcome.DECLINED:
            return _fail(call, intent, instrument)
        case Outcome.AUTHENTICATION_REQUIRED:
            if off_session:
                return _fail(call, intent, instrument)
            return _require_authentication(call, intent, return_url=return_url)
        case Outcome.PROCESSING_THEN_SUCCEEDS | Outcome.PROCESSING_THEN_FAILS:
            return _process(call, intent, instrument)


def authenticate(call: Call, intent: Document, *, passed: bool) -> Document:
    """End the 3-D Secure authentication: the payment succeeds, or its PaymentMethod is refused."""
    if intent["status"] != "requires_action":
        raise _wrong_status(intent, "requires_action")
    instrument = payment_methods.instrument_of(call, intent["payment_method"])
    if passed:
        return _succeed(call, intent, instrument)
    message = (
        "We are unable to authenticate your payment method. Please choose a different payment method and try again."
    )
    code = "payment_intent_authentication_failure"
    return _refuse(call, intent, charge=None, error={"code": code, "message": message, "type": "invalid_request_error"})


def settle(call: Call, intent: Document, *, succeeded: bool | None = None) -> Document:
    """End a processing bank debit; if `succeeded` is `None`, with the outcome of its test account."""
    if intent["status"] != "processing":
        raise _wrong_status(intent, "processing")
    instrument = payment_methods.instrument_of(call, intent["payment_method"])
    if succeeded is None:
        succeeded = instrument.outcome is Outcome.PROCESSING_THEN_SUCCEEDS
    pending = call.fetch("charge", intent["latest_charge"], param="charge")
    charge = charges.settle(call, pending, instrument, succeeded=succeeded)
    if succeeded:
        return _take(call, intent, charge, instrument)
    call.emit("charge.failed", charge, before=pending)
    failed = _refuse(call, intent, charge=charge, error=_card_error(charge, instrument))
    sessions.payment_failed(call, failed)
    return failed


def _succeed(call: Call, intent: Document, instrument: Instrument) -> Document:
    charge = charges.create(call, intent, instrument, status="succeeded")
    return _take(call, intent, charge, instrument)


def _take(call: Call, intent: Document, charge: Document, instrument: Instrument) -> Document:
    paid = call.change(
        intent, amount_received=intent["amount"], last_payment_error=None, latest_charge=charge["id"], next_action=None,
        status="succeeded",
    )  # fmt: skip
    call.emit("charge.succeeded", charge)
    call.emit("payment_intent.succeeded", paid)
    sessions.payment_succeeded(call, paid)
    match instrument.aftermath:
        case Aftermath.DISPUTE:
            disputes.open_dispute(call, charge, reason="fraudulent")
        case Aftermath.NOT_RECEIVED:
            disputes.open_dispute(call, charge, reason="product_not_received")
        case Aftermath.INQUIRY:
            disputes.open_dispute(call, charge, reason="fraudulent", inquiry=True)
        case Aftermath.FRAUD_WARNING:
            radar.warn(call, charge, fraud_type="made_with_stolen_card")
        case Aftermath.NOTHING | Aftermath.REFUND_FAILS | Aftermath.REFUND_PENDING:
            pass
    return paid


def _fail(call: Call, intent: Document, instrument: Instrument) -> Document:
    charge = charges.create(call, intent, instrument, status="failed")
    call.emit("charge.failed", charge)
    return _refuse(call, intent, charge=charge, error=_card_error(charge, instrument))


def _refuse(call: Call, intent: Document, *, charge: Document | None, error: Document) -> Document:
    method = call.fetch("payment_method", intent["payment_method"], param="payment_method")
    refused = call.change(
        intent,
        last_payment_error=error | {"doc_url": errors.documentation_url(error["code"]), "payment_method": method},
        latest_charge=charge["id"] if charge else intent["latest_charge"],
        next_action=None,
        payment_method=None,
        status="requires_payment_method",
    )
    call.emit("payment_intent.payment_failed", refused)
    return refused


def _require_authentication(call: Call, intent: Document, *, return_url: str | None) -> Document:
    redirect = {"return_url": return_url, "url": f"{call.base_url}/c/authenticate/{intent['id']}"}
    next_action: Document = {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}
    if return_url:
        next_action = {"type": "redirect_to_url", "redirect_to_url": redirect}
    changed = call.change(intent, next_action=next_action, status="requires_action")
    call.emit("payment_intent.requires_action", changed)
    return changed


def _process(call: Call, intent: Document, instrument: Instrument) -> Document:
    charge = charges.create(call, intent, instrument, status="pending")
    processing = call.change(intent, last_payment_error=None, latest_charge=charge["id"], status="processing")
    call.emit("charge.pending", charge)
    call.emit("payment_intent.processing", processing)
    sessions.payment_processing(call, processing)
    return processing


def _card_error(charge: Document, instrument: Instrument) -> Document:
    error = {"charge": charge["id"], "code": instrument.code, "message": instrument.message, "type": "card_error"}
    return error | ({"decline_code": instrument.decline_code} if instrument.decline_code else {})


def _wrong_status(intent: Document, expected: str) -> errors.ApiError:
    message = f"This PaymentIntent has a status of {intent['status']}, not {expected}."
    return errors.unexpected_state(message, code="payment_intent_unexpected_state", members={"payment_intent": intent})
