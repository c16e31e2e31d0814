"""The `Idempotency-Key` of a request (draft-ietf-httpapi-idempotency-key-header)."""

import re
from typing import Any, Final

from flask import request

from domain.rules.idempotency import ClientKey, fingerprint
from web.http.answer import Answer
from web.http.problems import BadRequest

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
_VISIBLE: Final = re.compile(r"[\x21-\x7e]{1,255}")


def client_key(route: str, *, body_key: str | None = None, **facts: Any) -> ClientKey | None:
    """Read the client's key from the header or the body; `None` if it sent none.

    Args:
        route: Short name of the route; a key is unique within it.
        body_key: The key in the body, where the route takes one.
        facts: What the request asks for. The same key with other facts is refused when it is used.

    Raises:
        BadRequest: the key is not 1 to 255 visible ASCII characters, or header and body differ.
    """
    header_key = _unquoted(request.headers.get(HEADER))
    if header_key is not None and body_key is not None and header_key != body_key:
        raise BadRequest("Idempotency-Key and idempotencyKey differ")
    value = header_key if header_key is not None else body_key
    if value is None:
        return None
    if not _VISIBLE.fullmatch(value):
        raise BadRequest("An Idempotency-Key is 1 to 255 visible ASCII characters")
    return ClientKey(route=route, value=value, request_hash=fingerprint(**facts))


def answer_once(body: Any, *, replayed: bool, status: int = 200) -> Answer:
    """Answer an act that is done once for a key.

    Args:
        replayed: Whether an earlier request did it: then the answer is marked.
    """
    return Answer(body=body, status=status, headers={REPLAYED: "true"} if replayed else {})


def _unquoted(header: str | None) -> str | None:
    if header is None:
        return None
    key = header.strip()
    if len(key) >= 2 and key[0] == key[-1] == '"':  # noqa: PLR2004 - both quotes
        return key[1:-1]
    if '"' in key[:1] + key[-1:]:
        raise BadRequest("An Idempotency-Key has two quotes or none")
    return key
