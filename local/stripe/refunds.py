"""Refunds.

Source: https://docs.stripe.com/refunds.
"""

from local.stripe import errors, payment_methods
from local.stripe.call import Call
from local.stripe.documents import Document, new_id
from local.stripe.instruments import Aftermath
from local.stripe.parameters import Parameters

CREATE = frozenset({"amount", "charge", "metadata", "payment_intent", "reason"})
UPDATE = frozenset({"metadata"})
_PARAM = "refund"
_REASONS = ("duplicate", "fraudulent", "requested_by_customer")


def create(call: Call, parameters: Parameters) -> Document:
    """POST /v1/refunds: of a charge or of a PaymentIntent, whole or in part."""
    reason = parameters.choice("reason", choices=_REASONS)
    wanted = parameters.integer("amount")
    metadata = parameters.metadata()
    charge = _charge(call, parameters)
    _check_refundable(charge)
    amount = _amount(charge, wanted)
    aftermath = payment_methods.instrument_of(call, charge["payment_method"]).aftermath
    refund = _blank(call, charge, amount=amount) | {
        "metadata": metadata,
        "reason": reason,
        "status": "pending" if aftermath is Aftermath.REFUND_PENDING else "succeeded",
    }
    call.state.put(refund)
    refunded = charge["amount_refunded"] + amount
    after = call.change(charge, amount_refunded=refunded, refunded=refunded == charge["amount"])
    call.emit("refund.created", refund)
    call.emit("charge.refunded", after, before=charge)
    if aftermath is Aftermath.REFUND_FAILS:
        fail(call, refund, reason="expired_or_canceled_card")
    return refund


def fail(call: Call, refund: Document, *, reason: str) -> Document:
    """Let a refund fail later: the money returns to the account, the charge counts it no more."""
    if refund["status"] not in {"pending", "succeeded"}:
        raise errors.unexpected_state(f"A {refund['status']} refund cannot fail.", code="refund_unexpected_state")
    failed = call.change(refund, status="failed", failure_reason=reason)
    charge = call.fetch("charge", refund["charge"], param="charge")
    call.change(charge, amount_refunded=charge["amount_refunded"] - refund["amount"], refunded=False)
    for kind in ("refund.failed", "refund.updated", "charge.refund.updated"):
        call.emit(kind, failed, before=refund)
    return failed


def succeed(call: Call, refund: Document) -> Document:
    """End a pending refund well."""
    if refund["status"] != "pending":
        raise errors.unexpected_state(f"A {refund['status']} refund cannot succeed.", code="refund_unexpected_state")
    succeeded = call.change(refund, status="succeeded")
    for kind in ("refund.updated", "charge.refund.updated"):
        call.emit(kind, succeeded, before=refund)
    return succeeded


def retrieve(call: Call, _parameters: Parameters, identity: str) -> Document:
    """GET /v1/refunds/:id."""
    return call.fetch("refund", identity, param=_PARAM)


def update(call: Call, parameters: Parameters, identity: str) -> Document:
    """POST /v1/refunds/:id: its metadata."""
    refund = call.fetch("refund", identity, param=_PARAM)
    changed = call.change(refund, metadata=parameters.metadata(before=refund["metadata"]))
    call.emit("refund.updated", changed, before=refund)
    return changed


def _charge(call: Call, parameters: Parameters) -> Document:
    charge_id = parameters.text("charge")
    if charge_id is None:
        intent_id = parameters.text("payment_intent")
        if intent_id is None:
            message = "One of the following params should be provided for this request: payment_intent or charge."
            raise errors.invalid_request(message)
        intent = call.fetch("payment_intent", intent_id, param="payment_intent", status=400)
        charge_id = intent["latest_charge"]
        if charge_id is None or intent["status"] != "succeeded":
            message = f"This PaymentIntent ({intent_id}) does not have a successful charge to refund."
            raise errors.unexpected_state(message, code="payment_intent_unexpected_state")
    return call.fetch("charge", charge_id, param="charge", status=400)


def _check_refundable(charge: Document) -> None:
    if not charge["paid"]:
        message = f"Charge {charge['id']} has not succeeded."
        raise errors.unexpected_state(message, code="charge_not_refundable")
    if charge["disputed"]:
        message = f"Charge {charge['id']} has been charged back; cannot issue a refund."
        raise errors.unexpected_state(message, code="charge_disputed")
    if charge["refunded"]:
        message = f"Charge {charge['id']} has already been refunded."
        raise errors.unexpected_state(message, code="charge_already_refunded")


def _amount(charge: Document, wanted: int | None) -> int:
    left: int = charge["amount"] - charge["amount_refunded"]
    if wanted is None:
        return left
    if wanted < 1:
        raise errors.invalid_request("Invalid positive integer", param="amount", code="parameter_invalid_integer")
    if wanted > left:
        message = f"Refund amount ({wanted}) is greater than unrefunded amount on charge ({left})"
        raise errors.invalid_request(message, param="amount")
    return wanted


def _blank(call: Call, charge: Document, *, amount: int) -> Document:
    card = charge["payment_method_details"]["type"] == "card"
    destination = {"reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund"}
    return {
        "id": new_id("re" if card else "pyr"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": call.now,
        "currency": charge["currency"],
        "destination_details": {"card": destination, "type": "card"} if card else None,
        "payment_intent": charge["payment_intent"],
        "receipt_number": None,
        "source_transfer_reversal": None,
        "transfer_reversal": None,
    }
