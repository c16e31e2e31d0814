"""PaymentMethods: a customer's test card or test bank account."""

from local.stripe import errors
from local.stripe.call import Call
from local.stripe.documents import Document, new_id
from local.stripe.instruments import BY_NAME, CARD, SEPA_DEBIT, TYPES, Instrument, by_number
from local.stripe.parameters import Parameters

_CARD_EXPIRY_YEAR = 2034


def instrument_of(call: Call, payment_method_id: str) -> Instrument:
    """Return the test card or test account of a PaymentMethod."""
    instrument = by_number(call.state.hidden(payment_method_id)["number"])
    if instrument is None:
        raise LookupError(payment_method_id)
    return instrument


def create(call: Call, instrument: Instrument, *, billing: Document | None = None) -> Document:
    """Create a PaymentMethod."""
    document = {
        "id": new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": billing or empty_billing_details(),
        "created": call.now,
        "customer": None,
        "livemode": False,
        "metadata": {},
        "type": instrument.type,
        instrument.type: _card(instrument) if instrument.type == CARD else _bank_account(instrument),
    }
    call.state.put(document, {"number": instrument.number})
    return document


def chosen(call: Call, parameters: Parameters) -> Document | None:
    """Return the PaymentMethod of the parameter `payment_method`, or create one from `payment_method_data`.

    Raises:
        ApiError: there is no such PaymentMethod, or no test card with that number.
    """
    name = parameters.text("payment_method")
    if name is not None:
        if name in BY_NAME:
            return create(call, BY_NAME[name])
        return call.fetch("payment_method", name, param="payment_method", status=400)
    method_data = parameters.group("payment_method_data")
    if not method_data.values:
        return None
    instrument = by_number(_instrument_number(method_data))
    if instrument is None:
        raise errors.invalid_request("The number is not one of the test numbers.", param=method_data.name("type"))
    return create(call, instrument)


def empty_billing_details() -> Document:
    """Return billing details in which every member is empty."""
    address = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
    return {"address": address, "email": None, "name": None, "phone": None, "tax_id": None}


def _instrument_number(method_data: Parameters) -> str:
    method_type = method_data.choice("type", choices=TYPES)
    if method_type == SEPA_DEBIT:
        return method_data.group(SEPA_DEBIT).required_text("iban")
    return method_data.group(CARD).required_text("number")


def _card(instrument: Instrument) -> Document:
    return {
        "brand": instrument.brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "country": "DE",
        "display_brand": instrument.brand,
        "exp_month": 12,
        "exp_year": _CARD_EXPIRY_YEAR,
        "fingerprint": f"local{instrument.last4}",
        "funding": "credit",
        "last4": instrument.last4,
    }


def _bank_account(instrument: Instrument) -> Document:
    return {
        "bank_code": instrument.number[4:12],
        "branch_code": "",
        "country": instrument.number[:2],
        "fingerprint": f"local{instrument.last4}",
        "last4": instrument.last4,
    }
