"""Products and Prices, which a Checkout Session sells."""

from local.stripe import errors, intents
from local.stripe.call import Call
from local.stripe.documents import Document, new_id
from local.stripe.parameters import Parameters

PRODUCT = frozenset({"description", "images", "metadata", "name"})
_PRICE_DATA = frozenset({"currency", "product", "product_data", "unit_amount"})
PRICE = _PRICE_DATA | {"metadata", "nickname"}
_PRICE_DATA_NAMES = _PRICE_DATA | {"recurring", "tax_behavior", "unit_amount_decimal"}
_PRODUCT_DATA_NAMES = PRODUCT | {"tax_code", "unit_label"}


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
    """POST /v1/prices: a one-time price of an existing `product`, or of a new one from `product_data`."""
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
        "product": _product_id(call, parameters),
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
    """Return the Price of a line item: that of its `price`, or a new one from its `price_data`."""
    price_id = line.text("price")
    if price_id is not None:
        return call.fetch("price", price_id, param=line.name("price"), status=400)
    price_data = line.group("price_data")
    if not price_data.values:
        message = "You must specify either `price` or `price_data` when creating a line item."
        raise errors.invalid_request(message, param=line.name("price"))
    price_data.check_names(known=_PRICE_DATA_NAMES, simulated=_PRICE_DATA)
    return create_price(call, price_data)


def _product_id(call: Call, parameters: Parameters) -> str:
    product_id = parameters.text("product")
    if product_id is not None:
        return str(call.fetch("product", product_id, param=parameters.name("product"), status=400)["id"])
    product_data = parameters.group("product_data")
    product_data.check_names(known=_PRODUCT_DATA_NAMES, simulated=PRODUCT)
    return str(create_product(call, product_data)["id"])
