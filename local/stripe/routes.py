"""The API's endpoints: their paths, handlers and parameters."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stripe import params
from stripe.params import checkout as checkout_params
from stripe.params import radar as radar_params

from local.stripe import checkout, customers, disputes, intents, lists, prices, refunds
from local.stripe.call import Call
from local.stripe.documents import Document
from local.stripe.parameters import Parameters


@dataclass(frozen=True)
class Endpoint:
    """A method of a path.

    Attributes:
        rule: The path, in Flask's notation.
        handler: Takes the `Call`, the `Parameters` and the ids of the path; returns the response.
        known: The names of parameters that Stripe knows, as stripe-python types them.
        simulated: The names of parameters that this simulator supports.
    """

    method: str
    rule: str
    handler: Callable[..., Document]
    known: frozenset[str] = frozenset()
    simulated: frozenset[str] = frozenset()


def _get(rule: str, kind: str, *, param: str = "id") -> Endpoint:
    """Return the endpoint that reads an object; `param` is what Stripe calls its id in error responses."""

    def handler(call: Call, _parameters: Parameters, object_id: str) -> Document:
        return call.fetch(kind, object_id, param=param)

    return Endpoint("GET", f"{rule}/<object_id>", handler)


def _post(rule: str, handler: Callable[..., Document], typed: Any, simulated: frozenset[str]) -> Endpoint:
    return Endpoint("POST", rule, handler, known=frozenset(typed.__annotations__), simulated=simulated)


def _list(rule: str, handler: Callable[..., Document], typed: Any, *filters: str) -> Endpoint:
    return Endpoint("GET", rule, handler, known=frozenset(typed.__annotations__), simulated=lists.PAGE | set(filters))


def _filtered_list(rule: str, kind: str, typed: Any, *filters: str) -> Endpoint:
    return _list(rule, lists.filtered_list(kind, rule, *filters), typed, *filters)


_NONE: frozenset[str] = frozenset()
_INTENTS = "/v1/payment_intents"
_SESSIONS = "/v1/checkout/sessions"
_WARNINGS = "/v1/radar/early_fraud_warnings"

ENDPOINTS = (
    _post("/v1/customers", customers.create, params.CustomerCreateParams, customers.CREATE),
    _filtered_list("/v1/customers", "customer", params.CustomerListParams, "email"),
    _get("/v1/customers", "customer"),
    _post("/v1/customers/<object_id>", customers.update, params.CustomerUpdateParams, customers.UPDATE),
    Endpoint("DELETE", "/v1/customers/<object_id>", customers.delete),
    _post(_INTENTS, intents.create, params.PaymentIntentCreateParams, intents.CREATE),
    _filtered_list(_INTENTS, "payment_intent", params.PaymentIntentListParams, "customer"),
    _get(_INTENTS, "payment_intent", param="intent"),
    _post(f"{_INTENTS}/<object_id>", intents.update, params.PaymentIntentUpdateParams, intents.UPDATE),
    _post(f"{_INTENTS}/<object_id>/confirm", intents.confirm, params.PaymentIntentConfirmParams, intents.CONFIRM),
    _post(f"{_INTENTS}/<object_id>/cancel", intents.cancel, params.PaymentIntentCancelParams, intents.CANCEL),
    _post(_SESSIONS, checkout.create, checkout_params.SessionCreateParams, checkout.CREATE),
    _filtered_list(
        _SESSIONS, "checkout.session", checkout_params.SessionListParams, "customer", "payment_intent", "status"
    ),
    _get(_SESSIONS, "checkout.session", param="session"),
    _post(f"{_SESSIONS}/<object_id>", checkout.update, checkout_params.SessionUpdateParams, checkout.UPDATE),
    _post(f"{_SESSIONS}/<object_id>/expire", checkout.expire, checkout_params.SessionExpireParams, _NONE),
    _list(f"{_SESSIONS}/<object_id>/line_items", checkout.line_items, checkout_params.SessionListLineItemsParams),
    _filtered_list("/v1/charges", "charge", params.ChargeListParams, "customer", "payment_intent"),
    _get("/v1/charges", "charge", param="charge"),
    _post("/v1/refunds", refunds.create, params.RefundCreateParams, refunds.CREATE),
    _filtered_list("/v1/refunds", "refund", params.RefundListParams, "charge", "payment_intent"),
    _get("/v1/refunds", "refund", param="refund"),
    _post("/v1/refunds/<object_id>", refunds.update, params.RefundUpdateParams, refunds.UPDATE),
    _filtered_list("/v1/disputes", "dispute", params.DisputeListParams, "charge", "payment_intent"),
    _get("/v1/disputes", "dispute", param="dispute"),
    _post("/v1/disputes/<object_id>", disputes.update, params.DisputeUpdateParams, disputes.UPDATE),
    _post("/v1/disputes/<object_id>/close", disputes.close, params.DisputeCloseParams, _NONE),
    _list("/v1/events", lists.events, params.EventListParams, "type", "types", "delivery_success"),
    Endpoint("GET", "/v1/events/<object_id>", lists.event),
    _filtered_list(
        _WARNINGS, "radar.early_fraud_warning", radar_params.EarlyFraudWarningListParams, "charge", "payment_intent"
    ),
    _get(_WARNINGS, "radar.early_fraud_warning", param="early_fraud_warning"),
    _get("/v1/payment_methods", "payment_method", param="payment_method"),
    _post("/v1/products", prices.create_product, params.ProductCreateParams, prices.PRODUCT),
    _get("/v1/products", "product"),
    _post("/v1/prices", prices.create_price, params.PriceCreateParams, prices.PRICE),
    _get("/v1/prices", "price", param="price"),
)
