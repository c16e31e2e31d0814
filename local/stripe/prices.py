"""Products and Prices: what a Checkout Session sells."""

from local.stripe import errors, intents
from local.stripe.call import Call
from local.stripe.documents import Document, new_id
from local.stripe.parameters import Parameters

PRODUCT = frozenset({"description", "images", "metadata", "name"})
PRICE = frozenset({"currency", "metadata", "nickname", "product", "product_data", "unit_amount"})
_PRICE_DATA = frozenset({"currency", "product", "product_data", "unit_amount"})
_PRODUCT_DATA = frozenset({"description", "images", "metadata", "name"})
PRICE_DATA_NAMES = _PRICE_DATA | {"recurring", "tax_behavior", "unit_amount_decimal"}


def create_product(call: Call, parameters: Parameters) -> Document:
    """POST /v1/products."""
    document = {
        "id": new_id("prod"),
        "object": "product",
        "active": True,
        "created": call.now,
        "default_price": None,
        "description": parameters.text("description"),
        "images": parameters.texts("images"),
        "livemode": False,
        "marketing_features": [],
        "metadata": parameters.metadata(),
        "name": parameters.required_text("name"),
        "package_dimensions": None,
        "shippable": None,
        "statement_descriptor": None,
        "tax_code": None,
        "type": "service",
        "unit_label": None,
        "updated": call.now,
        "url": None,
    }
    call.state.put(document)
    return document


def create_price(call: Call, parameters: Parameters) -> Document:
    """POST /v1/prices: one-time prices of a product that exists or is described by `product_data`."""
    amount = parameters.integer("unit_amount")
    if amount is None:
        raise parameters.missing("unit_amount")
    document = {
        "id": new_id("price"),
        "object": "price",
        "active": True,
        "billing_scheme": "per_unit",
        "created": call.now,
        "currency": intents.checked_currency(parameters),
        "custom_unit_amount": None,
        "livemode": False,
        "lookup_key": None,
        "metadata": parameters.metadata(),
        "nickname": parameters.text("nickname"),
        "product": _product(call, parameters),
        "recurring": None,
        "tax_behavior": "unspecified",
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "one_time",
        "unit_amount": amount,
        "unit_amount_decimal": str(amount),
    }
    call.state.put(document)
    return document


def price_of_line(call: Call, line: Parameters) -> Document:
    """Give the Price that a line item names (`price`) or describes (`price_data`)."""
    name = line.text("price")
    if name is not None:
        return call.fetch("price", name, param=line.name("price"), status=400)
    described = line.group("price_data")
    if not described.values:
        message = "You must specify either `price` or `price_data` when creating a line item."
        raise errors.invalid_request(message, param=line.name("price"))
    described.check_names(known=PRICE_DATA_NAMES, simulated=_PRICE_DATA)
    return create_price(call, described)


def retrieve_product(call: Call, _parameters: Parameters, identity: str) -> Document:
    """GET /v1/products/:id."""
    return call.fetch("product", identity, param="id")


def retrieve_price(call: Call, _parameters: Parameters, identity: str) -> Document:
    """GET /v1/prices/:id."""
    return call.fetch("price", identity, param="price")


def _product(call: Call, parameters: Parameters) -> str:
    name = parameters.text("product")
    if name is not None:
        return str(call.fetch("product", name, param=parameters.name("product"), status=400)["id"])
    described = parameters.group("product_data")
    described.check_names(known=_PRODUCT_DATA | {"tax_code", "unit_label"}, simulated=_PRODUCT_DATA)
    return str(create_product(call, described)["id"])
