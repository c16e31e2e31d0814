"""Charges: attempts of a PaymentIntent to move money."""

from local.stripe import payment_methods
from local.stripe.call import Call
from local.stripe.documents import Document, new_id
from local.stripe.instruments import CARD, Instrument


def create(call: Call, intent: Document, instrument: Instrument, *, status: str) -> Document:
    """Create a charge: an attempt to take an intent's amount.

    Args:
        call: The call that causes it.
        intent: Its PaymentIntent, with the PaymentMethod set.
        instrument: The test card or account behind that PaymentMethod.
        status: `succeeded`, `pending` (a bank debit on its way) or `failed`.
    """
    method = call.fetch("payment_method", intent["payment_method"], param="payment_method")
    document = _blank(call, intent) | {
        "id": new_id("ch" if instrument.type == CARD else "py"),
        "billing_details": method["billing_details"] | {"email": intent["receipt_email"]},
        "payment_method": method["id"],
        "payment_method_details": {"type": instrument.type, instrument.type: _details(method, instrument)},
    }
    charge = _with_status(document, instrument, status=status)
    call.state.put(charge)
    return charge


def settle(call: Call, charge: Document, instrument: Instrument, *, succeeded: bool) -> Document:
    """Set a pending charge to `succeeded` or `failed`."""
    changed = _with_status(charge, instrument, status="succeeded" if succeeded else "failed")
    call.state.put(changed)
    return changed


def _with_status(document: Document, instrument: Instrument, *, status: str) -> Document:
    failed = status == "failed"
    return document | {
        "amount_captured": 0 if failed else document["amount"],
        "captured": not failed,
        "failure_code": instrument.code if failed else None,
        "failure_message": instrument.message if failed else None,
        "outcome": _outcome(instrument, failed=failed),
        "paid": status == "succeeded",
        "status": status,
    }


def _outcome(instrument: Instrument, *, failed: bool) -> Document:
    return {
        "network_status": "declined_by_network" if failed else "approved_by_network",
        "reason": instrument.decline_code if failed else None,
        "risk_level": "normal",
        "risk_score": 20,
        "seller_message": "The bank did not return any further details." if failed else "Payment complete.",
        "type": "issuer_declined" if failed else "authorized",
    }


def _details(method: Document, instrument: Instrument) -> Document:
    details: Document = method[instrument.type]
    if instrument.type != CARD:
        return details | {"mandate": new_id("mandate")}
    names = ("brand", "checks", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4")
    return {name: details[name] for name in names} | {"network": instrument.brand, "three_d_secure": None}


def _blank(call: Call, intent: Document) -> Document:
    names = ("amount", "currency", "customer", "description", "metadata", "receipt_email", "shipping")
    return {name: intent[name] for name in names} | {
        "object": "charge",
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": payment_methods.empty_billing_details(),
        "calculated_statement_descriptor": "LOCAL STRIPE",
        "created": call.now,
        "disputed": False,
        "failure_balance_transaction": None,
        "fraud_details": {},
        "livemode": False,
        "on_behalf_of": None,
        "payment_intent": intent["id"],
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "source_transfer": None,
        "statement_descriptor": intent["statement_descriptor"],
        "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
        "transfer_data": None,
        "transfer_group": None,
    }
