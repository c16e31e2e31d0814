"""Checkout Sessions: create, expire, pay.

Source: https://docs.stripe.com/api/checkout/sessions.
"""

from local.stripe import customers, errors, intents, payment_methods, payments, prices
from local.stripe.call import Call
from local.stripe.documents import Document, list_object, new_id
from local.stripe.instruments import Instrument
from local.stripe.parameters import Parameters

CREATE = frozenset({
    "allowed_payment_method_types", "cancel_url", "client_reference_id", "currency", "customer", "customer_creation",
    "customer_email", "expires_at", "line_items", "locale", "metadata", "mode", "payment_intent_data", "submit_type",
    "success_url", "ui_mode",
})  # fmt: skip
UPDATE = frozenset({"metadata"})
SESSION_ID = "{CHECKOUT_SESSION_ID}"
_PARAM = "session"
_LIFE_DEFAULT_S = 86_400
_LIFE_MIN_S = 30 * 60
_INTENT_DATA = frozenset({
    "description", "metadata", "receipt_email", "statement_descriptor", "statement_descriptor_suffix",
})  # fmt: skip
_INTENT_DATA_NAMES = _INTENT_DATA | {"capture_method", "on_behalf_of", "setup_future_usage", "shipping"}
_LINE = frozenset({"price", "price_data", "quantity"})
_LINE_NAMES = _LINE | {"adjustable_quantity", "metadata", "tax_rates"}


def create(call: Call, parameters: Parameters) -> Document:
    """POST /v1/checkout/sessions: mode `payment` on Stripe's hosted page."""
    _check_supported(parameters)
    lines = _lines(call, parameters)
    total = sum(line["amount_total"] for line in lines)
    currency = lines[0]["currency"]
    intents.checked_amount(total, currency=currency, parameters=parameters)
    customer = parameters.text("customer")
    document = _blank(call) | {
        "amount_subtotal": total,
        "amount_total": total,
        "cancel_url": parameters.text("cancel_url"),
        "client_reference_id": parameters.text("client_reference_id"),
        "currency": currency,
        "customer": customers.fetch_usable(call, customer, param="customer")["id"] if customer else None,
        "customer_creation": None if customer else parameters.text("customer_creation") or "if_required",
        "customer_email": parameters.text("customer_email"),
        "expires_at": _expires_at(call, parameters),
        "locale": parameters.text("locale"),
        "metadata": parameters.metadata(),
        "payment_method_types": intents.checked_types(parameters),
        "submit_type": parameters.text("submit_type"),
        "success_url": parameters.required_text("success_url"),
    }
    data = parameters.group("payment_intent_data")
    data.check_names(known=_INTENT_DATA_NAMES, simulated=_INTENT_DATA)
    intent_data = {name: data.text(name) for name in data.values if name != "metadata"} | {"metadata": data.metadata()}
    call.state.put(document, {"line_items": lines, "payment_intent_data": intent_data})
    return document


def update(call: Call, parameters: Parameters, object_id: str) -> Document:
    """POST /v1/checkout/sessions/:id: its metadata."""
    session = call.fetch("checkout.session", object_id, param=_PARAM)
    return call.change(session, metadata=parameters.metadata(before=session["metadata"]))


def line_items(call: Call, _parameters: Parameters, object_id: str) -> Document:
    """GET /v1/checkout/sessions/:id/line_items."""
    session = call.fetch("checkout.session", object_id, param=_PARAM)
    return list_line_items(call, session)


def list_line_items(call: Call, session: Document) -> Document:
    """Return the list of a session's line items."""
    lines = call.state.hidden(session["id"])["line_items"]
    return list_object(lines, url=f"/v1/checkout/sessions/{session['id']}/line_items")


def expire(call: Call, _parameters: Parameters, object_id: str) -> Document:
    """POST /v1/checkout/sessions/:id/expire."""
    session = call.fetch("checkout.session", object_id, param=_PARAM)
    if session["status"] != "open":
        message = (
            'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status of '
            f"{session['status']}."
        )
        raise errors.unexpected_state(message, code="checkout_session_unexpected_state")
    return expire_session(call, session)


def expire_session(call: Call, session: Document) -> Document:
    """Expire an unpaid session, and cancel the PaymentIntent of its failed attempts."""
    expired = call.change(session, status="expired", url=None)
    call.emit("checkout.session.expired", expired)
    if session["payment_intent"]:
        intent = call.fetch("payment_intent", session["payment_intent"], param="payment_intent")
        intents.cancel_intent(call, intent, reason="automatic")
    return expired


def expire_due(call: Call) -> None:
    """Expire every open session whose `expires_at` has passed."""
    due = "json_extract(document, '$.status') = 'open' AND json_extract(document, '$.expires_at') <= ?"
    for session in call.state.find("checkout.session", due, (call.now,)):
        expire_session(call, session)


def pay(call: Call, session: Document, instrument: Instrument, *, email: str | None) -> Document:
    """Try to pay an open session; the first attempt creates its PaymentIntent.

    Returns:
        The PaymentIntent after the attempt. The session is complete if the PaymentIntent succeeded or is processing.
    """
    if session["status"] != "open":
        raise errors.unexpected_state("This session is no longer open.", code="checkout_session_unexpected_state")
    email = email or session["customer_email"]
    details: Document = {
        "address": None,
        "email": email,
        "name": None,
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": [],
    }
    session = call.change(
        session, customer_details=details, customer=session["customer"] or _guest(call, session, email)
    )
    if session["payment_intent"]:
        intent = call.fetch("payment_intent", session["payment_intent"], param="payment_intent")
    else:
        intent = _intent(call, session)
    billing = payment_methods.empty_billing_details() | {"email": email}
    method = payment_methods.create(call, instrument, billing=billing)
    intent = call.change(intent, payment_method=method["id"], receipt_email=intent["receipt_email"])
    return payments.attempt(call, intent, return_url=f"{call.base_url}/c/pay/{session['id']}")


def landing_url(session: Document) -> str:
    """Return the address to which the customer is sent after the payment."""
    return str(session["success_url"]).replace(SESSION_ID, session["id"])


def _intent(call: Call, session: Document) -> Document:
    data = call.state.hidden(session["id"])["payment_intent_data"]
    intent = intents.create_unpaid(
        call,
        amount=session["amount_total"],
        currency=session["currency"],
        customer=session["customer"],
        metadata=data["metadata"],
        types=session["payment_method_types"],
        automatic=False,
    )
    intent = call.change(intent, **data)
    call.change(session, payment_intent=intent["id"])
    call.emit("payment_intent.created", intent)
    return intent


def _guest(call: Call, session: Document, email: str | None) -> str | None:
    if session["customer_creation"] != "always":
        return None
    return str(customers.create(call, Parameters({"email": email or ""}))["id"])


def _check_supported(parameters: Parameters) -> None:
    if parameters.required_text("mode") != "payment":
        raise errors.invalid_request("The local Stripe simulates only mode `payment`.", param="mode")
    if parameters.text("ui_mode") not in {None, "hosted_page"}:
        raise errors.invalid_request("The local Stripe simulates only ui_mode `hosted_page`.", param="ui_mode")
    if parameters.text("customer") and parameters.text("customer_email"):
        raise errors.invalid_request("You may only specify one of these parameters: customer, customer_email.")
    parameters.choice("customer_creation", choices=("always", "if_required"))


def _lines(call: Call, parameters: Parameters) -> list[Document]:
    lines = parameters.groups("line_items")
    if not lines:
        raise parameters.missing("line_items")
    return [_line(call, line) for line in lines]


def _line(call: Call, line: Parameters) -> Document:
    line.check_names(known=_LINE_NAMES, simulated=_LINE)
    price = prices.price_of_line(call, line)
    quantity = line.integer("quantity")
    if quantity is None or quantity < 1:
        raise line.missing("quantity")
    amount = price["unit_amount"] * quantity
    product = call.fetch("product", price["product"], param="product")
    return {
        "id": new_id("li"), "object": "item", "amount_discount": 0, "amount_subtotal": amount, "amount_tax": 0,
        "amount_total": amount, "currency": price["currency"], "description": product["name"], "price": price,
        "quantity": quantity,
    }  # fmt: skip


def _expires_at(call: Call, parameters: Parameters) -> int:
    expires_at = parameters.integer("expires_at")
    if expires_at is None:
        return call.now + _LIFE_DEFAULT_S
    if not call.now + _LIFE_MIN_S <= expires_at <= call.now + _LIFE_DEFAULT_S:
        message = "The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout Session creation."
        raise errors.invalid_request(message, param="expires_at")
    return expires_at


def _blank(call: Call) -> Document:
    session_id = new_id("cs_test")
    empty_members = (
        "after_expiration", "allow_promotion_codes", "billing_address_collection", "client_secret", "consent",
        "consent_collection", "currency_conversion", "customer_details", "invoice", "payment_intent", "payment_link",
        "recovered_from", "setup_intent", "shipping_address_collection", "shipping_cost", "subscription",
    )  # fmt: skip
    custom_texts = ("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")
    return dict.fromkeys(empty_members) | {
        "id": session_id,
        "object": "checkout.session",
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "created": call.now,
        "custom_fields": [],
        "custom_text": dict.fromkeys(custom_texts),
        "discounts": [],
        "livemode": False,
        "mode": "payment",
        "payment_method_collection": "if_required",
        "payment_method_options": {},
        "payment_status": "unpaid",
        "phone_number_collection": {"enabled": False},
        "shipping_options": [],
        "status": "open",
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "url": f"{call.base_url}/c/pay/{session_id}",
    }
