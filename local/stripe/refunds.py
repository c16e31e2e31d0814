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
    """POST /v1/refunds: refund a charge or a PaymentIntent, in full or in part."""
    reason = parameters.choice("reason", choices=_REASONS)
    requested_amount = parameters.integer("amount")
    metadata = parameters.metadata()
    charge = _refunded_charge(call, parameters)
    _check_refundable(charge)
    amount = _refund_amount(charge, requested_amount)
    aftermath = payment_methods.instrument_of(call, charge["payment_method"]).aftermath
    refund = _blank(call, charge, amount=amount) | {
        "metadata": metadata,
        "reason": reason,
        "status": "pending" if aftermath is Aftermath.REFUND_PENDING else "succeeded",
    }
    call.state.put(refund)
    amount_refunded = charge["amount_refunded"] + amount
    after = call.change(charge, amount_refunded=amount_refunded, refunded=amount_refunded == charge["amount"])
    call.emit("refund.created", refund)
    call.emit("charge.refunded", after, before=charge)
    if aftermath is Aftermath.REFUND_FAILS:
        fail(call, refund, reason="expired_or_canceled_card")
    return refund


def fail(call: Call, refund: Document, *, reason: str) -> Document:
    """Set a refund to `failed`: the money returns to the account, and the charge no longer counts the refund."""
    if refund["status"] not in {"pending", "succeeded"}:
        raise errors.unexpected_state(f"A {refund['status']} refund cannot fail.", code="refund_unexpected_state")
    failed = call.change(refund, status="failed", failure_reason=reason)
    charge = call.fetch("charge", refund["charge"], param="charge")
    call.change(charge, amount_refunded=charge["amount_refunded"] - refund["amount"], refunded=False)
    for kind in ("refund.failed", "refund.updated", "charge.refund.updated"):
        call.emit(kind, failed, before=refund)
    return failed


def succeed(call: Call, refund: Document) -> Document:
    """Set a pending refund to `succeeded`."""
    if refund["status"] != "pending":
        raise errors.unexpected_state(f"A {refund['status']} refund cannot succeed.", code="refund_unexpected_state")
    succeeded = call.change(refund, status="succeeded")
    for kind in ("refund.updated", "charge.refund.updated"):
        call.emit(kind, succeeded, before=refund)
    return succeeded


def update(call: Call, parameters: Parameters, object_id: str) -> Document:
    """POST /v1/refunds/:id: its metadata."""
    refund = call.fetch("refund", object_id, param=_PARAM)
    changed = call.change(refund, metadata=parameters.metadata(before=refund["metadata"]))
    call.emit("refund.updated", changed, before=refund)
    return changed


def _refunded_charge(call: Call, parameters: Parameters) -> Document:
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


def _refund_amount(charge: Document, requested_amount: int | None) -> int:
    unrefunded: int = charge["amount"] - charge["amount_refunded"]
    if requested_amount is None:
        return unrefunded
    if requested_amount < 1:
        raise errors.invalid_request("Invalid positive integer", param="amount", code="parameter_invalid_integer")
    if requested_amount > unrefunded:
        message = f"Refund amount ({requested_amount}) is greater than unrefunded amount on charge ({unrefunded})"
        raise errors.invalid_request(message, param="amount")
    return requested_amount


def _blank(call: Call, charge: Document, *, amount: int) -> Document:
    is_card = charge["payment_method_details"]["type"] == "card"
    destination = {"reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund"}
    return {
        "id": new_id("re" if is_card else "pyr"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": call.now,
        "currency": charge["currency"],
        "destination_details": {"card": destination, "type": "card"} if is_card else None,
        "payment_intent": charge["payment_intent"],
        "receipt_number": None,
        "source_transfer_reversal": None,
        "transfer_reversal": None,
    }
