"""Customers."""

from local.stripe import errors
from local.stripe.call import Call
from local.stripe.documents import Document, new_id, random_text
from local.stripe.parameters import Parameters

_TEXTS = ("description", "email", "name", "phone", "business_name", "individual_name")
CREATE = frozenset({*_TEXTS, "metadata", "preferred_locales"})
UPDATE = CREATE
_INVOICE_PREFIX_LENGTH = 8


def create(call: Call, parameters: Parameters) -> Document:
    """POST /v1/customers."""
    document: Document = {
        "id": new_id("cus"),
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": call.now,
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "discount": None,
        "invoice_prefix": random_text(_INVOICE_PREFIX_LENGTH).upper(),
        "invoice_settings": dict.fromkeys(("custom_fields", "default_payment_method", "footer", "rendering_options")),
        "livemode": False,
        "metadata": parameters.metadata(),
        "next_invoice_sequence": 1,
        "preferred_locales": parameters.texts("preferred_locales"),
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    } | {name: parameters.text(name) for name in _TEXTS}
    call.state.put(document)
    call.emit("customer.created", document)
    return document


def update(call: Call, parameters: Parameters, object_id: str) -> Document:
    """POST /v1/customers/:id."""
    before = fetch_usable(call, object_id, param="id", status=404)
    members = parameters.texts_and_metadata(_TEXTS, before=before)
    if "preferred_locales" in parameters.values:
        members["preferred_locales"] = parameters.texts("preferred_locales")
    after = call.change(before, **members)
    call.emit("customer.updated", after, before=before)
    return after


def delete(call: Call, _parameters: Parameters, object_id: str) -> Document:
    """DELETE /v1/customers/:id."""
    before = fetch_usable(call, object_id, param="id", status=404)
    deleted: Document = {"id": object_id, "object": "customer", "deleted": True}
    call.state.put(deleted)
    call.emit("customer.deleted", before)
    return deleted


def fetch_usable(call: Call, object_id: str, *, param: str, status: int = 400) -> Document:
    """Return a customer that exists and is not deleted.

    Raises:
        ApiError: `resource_missing` with the given `status`.
    """
    document = call.fetch("customer", object_id, param=param, status=status)
    if document.get("deleted"):
        raise errors.missing_resource("customer", object_id, param=param, status=status)
    return document
