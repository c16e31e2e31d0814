"""Helpers for Stripe's objects: their ids, lists of them, and the members that a change has changed."""

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
    """Return random letters and digits that cannot be guessed."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def new_id(prefix: str) -> str:
    """Return a new id in Stripe's form, such as `pi_3…` or `cus_…`."""
    return f"{prefix}_{random_text(_ID_LENGTHS.get(prefix, _ID_LENGTH_DEFAULT))}"


def changed_members(before: Document, after: Document) -> Document:
    """Return the former values of the members that changed: the `previous_attributes` of an event."""
    return {name: value for name, value in before.items() if after.get(name) != value}


def list_object(data: list[Document], *, url: str, has_more: bool = False) -> Document:
    """Return a list as the API answers it; `url` is its path."""
    return {"object": "list", "data": data, "has_more": has_more, "url": url}
