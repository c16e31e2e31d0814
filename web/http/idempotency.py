"""The `Idempotency-Key` of a request (draft-ietf-httpapi-idempotency-key-header): which request a key stands for."""

import re
from typing import Any, Final

from flask import request

from domain.rules.idempotency import ClientKey, fingerprint
from web.http.problems import BadRequest

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = {"Idempotency-Replayed": "true"}
_VISIBLE: Final = re.compile(r"[\x21-\x7e]{1,255}")


def client_key(route: str, *, body_key: str | None = None, **facts: Any) -> ClientKey | None:
    """Read the client's key, from the header or the body; nothing if it sent none.

    Args:
        route: Short name of the route; a key counts within it.
        body_key: The key in the body, where the route takes one.
        facts: What the request asks for. The same key with other facts is refused.

    Raises:
        BadRequest: the key is not 1 to 255 visible ASCII characters, or header and body differ.
    """
    told = _unquoted(request.headers.get(HEADER))
    if told is not None and body_key is not None and told != body_key:
        raise BadRequest("Idempotency-Key and idempotencyKey differ")
    value = told if told is not None else body_key
    if value is None:
        return None
    if not _VISIBLE.fullmatch(value):
        raise BadRequest("An Idempotency-Key is 1 to 255 visible ASCII characters")
    return ClientKey(route=route, value=value, request_hash=fingerprint(**facts))


def _unquoted(header: str | None) -> str | None:
    if header is None:
        return None
    told = header.strip()
    if len(told) >= 2 and told[0] == told[-1] == '"':  # noqa: PLR2004 - both quotes
        return told[1:-1]
    if '"' in told[:1] + told[-1:]:
        raise BadRequest("An Idempotency-Key has two quotes or none")
    return told
