"""The API's endpoints: path, what it does, which parameters it takes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stripe import params
from stripe.params import checkout as checkout_params
from stripe.params import radar as radar_params

from local.stripe import charges, checkout, customers, disputes, intents, lists, payment_methods, prices, radar, refunds
from local.stripe.documents import Document


@dataclass(frozen=True)
class Endpoint:
    """One method of one path.

    Attributes:
        rule: The path, in Flask's notation.
        act: Takes the `Call`, the `Parameters` and the ids of the path; gives the answer.
        known: Names of parameters that Stripe knows, as stripe-python types them.
        simulated: Those of them that this simulator follows.
    """

    method: str
    rule: str
    act: Callable[..., Document]
    known: frozenset[str] = frozenset()
    simulated: frozenset[str] = frozenset()


def _get(rule: str, act: Callable[..., Document]) -> Endpoint:
    return Endpoint("GET", rule, act)


def _post(rule: str, act: Callable[..., Document], typed: Any, simulated: frozenset[str]) -> Endpoint:
    return Endpoint("POST", rule, act, known=frozenset(typed.__annotations__), simulated=simulated)


def _list(rule: str, act: Callable[..., Document], typed: Any, *filters: str) -> Endpoint:
    return Endpoint("GET", rule, act, known=frozenset(typed.__annotations__), simulated=lists.PAGE | set(filters))


def _filtered(rule: str, kind: str, typed: Any, *filters: str) -> Endpoint:
    return _list(rule, lists.filtered(kind, rule, *filters), typed, *filters)


_NONE: frozenset[str] = frozenset()
_INTENTS = "/v1/payment_intents"
_SESSIONS = "/v1/checkout/sessions"
_WARNINGS = "/v1/radar/early_fraud_warnings"

ENDPOINTS = (
    _post("/v1/customers", customers.create, params.CustomerCreateParams, customers.CREATE),
    _filtered("/v1/customers", "customer", params.CustomerListParams, "email"),
    _get("/v1/customers/<identity>", customers.retrieve),
    _post("/v1/customers/<identity>", customers.update, params.CustomerUpdateParams, customers.UPDATE),
    Endpoint("DELETE", "/v1/customers/<identity>", customers.delete),
    _post(_INTENTS, intents.create, params.PaymentIntentCreateParams, intents.CREATE),
    _filtered(_INTENTS, "payment_intent", params.PaymentIntentListParams, "customer"),
    _get(f"{_INTENTS}/<identity>", intents.retrieve),
    _post(f"{_INTENTS}/<identity>", intents.update, params.PaymentIntentUpdateParams, intents.UPDATE),
    _post(f"{_INTENTS}/<identity>/confirm", intents.confirm, params.PaymentIntentConfirmParams, intents.CONFIRM),
    _post(f"{_INTENTS}/<identity>/cancel", intents.cancel, params.PaymentIntentCancelParams, intents.CANCEL),
    _post(_SESSIONS, checkout.create, checkout_params.SessionCreateParams, checkout.CREATE),
    _filtered(_SESSIONS, "checkout.session", checkout_params.SessionListParams, "customer", "payment_intent", "status"),
    _get(f"{_SESSIONS}/<identity>", checkout.retrieve),
    _post(f"{_SESSIONS}/<identity>", checkout.update, checkout_params.SessionUpdateParams, checkout.UPDATE),
    _post(f"{_SESSIONS}/<identity>/expire", checkout.expire, checkout_params.SessionExpireParams, _NONE),
    _list(f"{_SESSIONS}/<identity>/line_items", checkout.line_items, checkout_params.SessionListLineItemsParams),
    _filtered("/v1/charges", "charge", params.ChargeListParams, "customer", "payment_intent"),
    _get("/v1/charges/<identity>", charges.retrieve),
    _post("/v1/refunds", refunds.create, params.RefundCreateParams, refunds.CREATE),
    _filtered("/v1/refunds", "refund", params.RefundListParams, "charge", "payment_intent"),
    _get("/v1/refunds/<identity>", refunds.retrieve),
    _post("/v1/refunds/<identity>", refunds.update, params.RefundUpdateParams, refunds.UPDATE),
    _filtered("/v1/disputes", "dispute", params.DisputeListParams, "charge", "payment_intent"),
    _get("/v1/disputes/<identity>", disputes.retrieve),
    _post("/v1/disputes/<identity>", disputes.update, params.DisputeUpdateParams, disputes.UPDATE),
    _post("/v1/disputes/<identity>/close", disputes.close, params.DisputeCloseParams, _NONE),
    _list("/v1/events", lists.events, params.EventListParams, "type", "types", "delivery_success"),
    _get("/v1/events/<identity>", lists.event),
    _filtered(
        _WARNINGS, "radar.early_fraud_warning", radar_params.EarlyFraudWarningListParams, "charge", "payment_intent"
    ),
    _get(f"{_WARNINGS}/<identity>", radar.retrieve),
    _get("/v1/payment_methods/<identity>", payment_methods.retrieve),
    _post("/v1/products", prices.create_product, params.ProductCreateParams, prices.PRODUCT),
    _get("/v1/products/<identity>", prices.retrieve_product),
    _post("/v1/prices", prices.create_price, params.PriceCreateParams, prices.PRICE),
    _get("/v1/prices/<identity>", prices.retrieve_price),
)
