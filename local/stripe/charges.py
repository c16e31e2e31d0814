"""Charges: one attempt to move money, made by a PaymentIntent."""

from local.stripe import payment_methods
from local.stripe.call import Call
from local.stripe.documents import Document, new_id
from local.stripe.instruments import CARD, Instrument
from local.stripe.parameters import Parameters

PARAM = "charge"


def create(call: Call, intent: Document, instrument: Instrument, *, status: str) -> Document:
    """Record an attempt to take an intent's amount.

    Args:
        call: The act it is part of.
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
    return _with_status(document, instrument, status=status)


def settle(call: Call, charge: Document, instrument: Instrument, *, succeeded: bool) -> Document:
    """End a pending charge."""
    changed = _with_status(charge, instrument, status="succeeded" if succeeded else "failed")
    call.state.put(changed)
    return changed


def retrieve(call: Call, _parameters: Parameters, identity: str) -> Document:
    """GET /v1/charges/:id."""
    return call.fetch("charge", identity, param=PARAM)


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
    facts: Document = method[instrument.type]
    if instrument.type != CARD:
        return facts | {"mandate": new_id("mandate")}
    names = ("brand", "checks", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4")
    return {name: facts[name] for name in names} | {"network": instrument.brand, "three_d_secure": None}


def _blank(call: Call, intent: Document) -> Document:
    copied = ("amount", "currency", "customer", "description", "metadata", "receipt_email", "shipping")
    return {name: intent[name] for name in copied} | {
        "object": "charge",
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": payment_methods.no_billing_details(),
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
