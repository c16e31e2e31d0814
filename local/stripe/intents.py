"""PaymentIntents: create, update, confirm, cancel.

Source: https://docs.stripe.com/api/payment_intents.
"""

from local.stripe import customers, errors, payment_methods, payments, sessions
from local.stripe.call import Call
from local.stripe.documents import CLIENT_SECRET_LENGTH, Document, new_id, random_text
from local.stripe.instruments import CARD, SEPA_DEBIT, TYPES
from local.stripe.parameters import Parameters

_TEXTS = frozenset({"description", "receipt_email", "statement_descriptor", "statement_descriptor_suffix"})
_PAYING = frozenset({"mandate_data", "off_session", "payment_method", "payment_method_data", "return_url"})
CREATE = _TEXTS | _PAYING | {
    "allowed_payment_method_types", "amount", "automatic_payment_methods", "confirm", "currency", "customer",
    "metadata",
}  # fmt: skip
UPDATE = _TEXTS | {"amount", "customer", "metadata", "payment_method", "payment_method_data"}
CONFIRM = _PAYING | {"receipt_email", "use_stripe_sdk"}
CANCEL = frozenset({"cancellation_reason"})

_PARAM = "intent"
_AMOUNT_MAX = 99_999_999
_AMOUNT_MIN = {"eur": 50, "usd": 50, "gbp": 30, "chf": 50}
_CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
_CANCELLATION_REASONS = ("duplicate", "fraudulent", "requested_by_customer", "abandoned")


def create(call: Call, parameters: Parameters) -> Document:
    """POST /v1/payment_intents; with `confirm` the intent is paid in the same call."""
    intent = create_unpaid(
        call,
        amount=checked_amount(
            parameters.integer("amount"), currency=checked_currency(parameters), parameters=parameters
        ),
        currency=checked_currency(parameters),
        customer=_customer(call, parameters),
        metadata=parameters.metadata(),
        types=checked_types(parameters),
        automatic=not parameters.values.get("allowed_payment_method_types"),
    )
    intent = call.change(intent, **{name: parameters.text(name) for name in _TEXTS if name in parameters.values})
    method = payment_methods.chosen(call, parameters)
    if method is not None:
        intent = _set_method(call, intent, method)
    call.emit("payment_intent.created", intent)
    return _confirm_intent(call, intent, parameters) if parameters.boolean("confirm") else intent


def create_unpaid(
    call: Call, *, amount: int, currency: str, customer: str | None, metadata: Document, types: list[str],
    automatic: bool,
) -> Document:  # fmt: skip
    """Create a PaymentIntent that has no PaymentMethod yet. The caller emits its event."""
    intent_id = new_id("pi")
    document = dict.fromkeys((
        "amount_details", "application", "application_fee_amount", "canceled_at", "cancellation_reason", "description",
        "last_payment_error", "latest_charge", "next_action", "on_behalf_of", "payment_method", "processing",
        "receipt_email", "review", "setup_future_usage", "shipping", "source", "statement_descriptor",
        "statement_descriptor_suffix", "transfer_data", "transfer_group",
    )) | {
        "id": intent_id,
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "automatic_payment_methods": {"allow_redirects": "always", "enabled": True} if automatic else None,
        "capture_method": "automatic_async",
        "client_secret": f"{intent_id}_secret_{random_text(CLIENT_SECRET_LENGTH)}",
        "confirmation_method": "automatic",
        "created": call.now,
        "currency": currency,
        "customer": customer,
        "livemode": False,
        "metadata": metadata,
        "payment_method_options": {},
        "payment_method_types": types,
        "status": "requires_payment_method",
    }  # fmt: skip
    call.state.put(document)
    return document


def update(call: Call, parameters: Parameters, object_id: str) -> Document:
    """POST /v1/payment_intents/:id."""
    intent = call.fetch("payment_intent", object_id, param=_PARAM)
    members = parameters.texts_and_metadata(_TEXTS, before=intent)
    if "customer" in parameters.values:
        members["customer"] = _customer(call, parameters)
    if "amount" in parameters.values:
        members["amount"] = checked_amount(
            parameters.integer("amount"), currency=intent["currency"], parameters=parameters
        )
        _check_confirmable(intent, action="update")
    method = payment_methods.chosen(call, parameters)
    intent = call.change(intent, **members)
    return intent if method is None else _set_method(call, intent, method)


def confirm(call: Call, parameters: Parameters, object_id: str) -> Document:
    """POST /v1/payment_intents/:id/confirm."""
    intent = call.fetch("payment_intent", object_id, param=_PARAM)
    _check_not_checkout(call, intent, action="confirm")
    _check_confirmable(intent, action="confirm")
    method = payment_methods.chosen(call, parameters)
    if method is not None:
        intent = _set_method(call, intent, method)
    if "receipt_email" in parameters.values:
        intent = call.change(intent, receipt_email=parameters.text("receipt_email"))
    return _confirm_intent(call, intent, parameters)


def cancel(call: Call, parameters: Parameters, object_id: str) -> Document:
    """POST /v1/payment_intents/:id/cancel: only while the intent is neither paid nor processing."""
    reason = parameters.choice("cancellation_reason", choices=_CANCELLATION_REASONS)
    intent = call.fetch("payment_intent", object_id, param=_PARAM)
    _check_not_checkout(call, intent, action="cancel")
    _check_confirmable(intent, action="cancel")
    return cancel_intent(call, intent, reason=reason)


def cancel_intent(call: Call, intent: Document, *, reason: str | None) -> Document:
    """Set an unpaid intent to `canceled`."""
    changed = call.change(intent, canceled_at=call.now, cancellation_reason=reason, next_action=None, status="canceled")
    call.emit("payment_intent.canceled", changed)
    return changed


def checked_currency(parameters: Parameters) -> str:
    """Return the parameter `currency` in lower case."""
    currency = parameters.required_text("currency").lower()
    if currency not in _AMOUNT_MIN:
        currencies = ", ".join(sorted(_AMOUNT_MIN))
        message = f"Invalid currency: {currency}. The local Stripe knows {currencies}."
        raise errors.invalid_request(message, param=parameters.name("currency"))
    return currency


def checked_amount(amount: int | None, *, currency: str, parameters: Parameters) -> int:
    """Return the amount if it is within Stripe's limits.

    Source: https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts.
    """
    if amount is None:
        raise parameters.missing("amount")
    name = parameters.name("amount")
    if amount < _AMOUNT_MIN[currency]:
        message = f"Amount must be at least {_AMOUNT_MIN[currency] / 100:.2f} {currency}"
        raise errors.invalid_request(message, param=name, code="amount_too_small")
    if amount > _AMOUNT_MAX:
        message = f"Amount must be no more than {_AMOUNT_MAX / 100:.2f} {currency}"
        raise errors.invalid_request(message, param=name, code="amount_too_large")
    return amount


def checked_types(parameters: Parameters) -> list[str]:
    """Return the types of PaymentMethod that may pay: those of the parameter, or all that are simulated."""
    types = parameters.texts("allowed_payment_method_types")
    for name in types:
        if name not in TYPES:
            message = f"The local Stripe does not simulate the payment method type {name}; it knows {', '.join(TYPES)}."
            raise errors.invalid_request(message, param="allowed_payment_method_types")
    return types or [CARD, SEPA_DEBIT]


def _customer(call: Call, parameters: Parameters) -> str | None:
    customer_id = parameters.text("customer")
    return customers.fetch_usable(call, customer_id, param="customer")["id"] if customer_id else None


def _set_method(call: Call, intent: Document, method: Document) -> Document:
    if method["type"] not in intent["payment_method_types"]:
        types = ", ".join(intent["payment_method_types"])
        message = (
            f"The PaymentMethod provided ({method['type']}) is not allowed for this PaymentIntent. Allowed: {types}."
        )
        raise errors.invalid_request(message, param="payment_method")
    has_no_method = intent["status"] == "requires_payment_method"
    status = "requires_confirmation" if has_no_method else intent["status"]
    return call.change(intent, payment_method=method["id"], status=status)


def _confirm_intent(call: Call, intent: Document, parameters: Parameters) -> Document:
    if intent["payment_method"] is None:
        message = (
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the "
            "PaymentIntent with a payment method and then confirm it again, or confirm it again directly with one."
        )
        raise _unexpected(intent, message)
    after = payments.attempt(
        call, intent, return_url=parameters.text("return_url"), off_session=parameters.text("off_session") == "true"
    )
    if after["status"] == "requires_payment_method":
        raise errors.card_declined(after["last_payment_error"] | {"payment_intent": after})
    return after


def _check_confirmable(intent: Document, *, action: str) -> None:
    if intent["status"] not in _CONFIRMABLE:
        message = (
            f"You cannot {action} this PaymentIntent because it has a status of {intent['status']}. Only a "
            f"PaymentIntent with one of the following statuses may be used: {', '.join(_CONFIRMABLE)}."
        )
        raise _unexpected(intent, message)


def _check_not_checkout(call: Call, intent: Document, *, action: str) -> None:
    if sessions.find_by_intent(call, intent["id"]) is not None:
        message = (
            f"You cannot {action} a PaymentIntent that was created by Checkout; expire its Checkout Session instead."
        )
        raise _unexpected(intent, message)


def _unexpected(intent: Document, message: str) -> errors.ApiError:
    return errors.unexpected_state(message, code="payment_intent_unexpected_state", members={"payment_intent": intent})
