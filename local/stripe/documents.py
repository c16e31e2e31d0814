"""What every Stripe object has: an id of Stripe's look, a JSON document, members that changed."""

import secrets
import string
from typing import Any

Document = dict[str, Any]
"""A Stripe object as its JSON."""

_ALPHABET = string.ascii_letters + string.digits
_ID_LENGTHS = {"cs_test": 58, "cus": 14, "prod": 14, "req": 14}
_ID_LENGTH_DEFAULT = 24
CLIENT_SECRET_LENGTH = 25


def random_text(length: int) -> str:
    """Make letters and digits that nobody can guess."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def new_id(prefix: str) -> str:
    """Make an id as Stripe writes them, such as `pi_3…` or `cus_…`."""
    return f"{prefix}_{random_text(_ID_LENGTHS.get(prefix, _ID_LENGTH_DEFAULT))}"


def changed_members(before: Document, after: Document) -> Document:
    """Tell the former values of the members that changed: the `previous_attributes` of an event."""
    return {name: value for name, value in before.items() if after.get(name) != value}
