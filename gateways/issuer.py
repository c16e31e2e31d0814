"""The issuer of tokens: fetching its public keys, and reading what it publishes."""

import json
from collections.abc import Mapping
from typing import Any, Final

import jwt

from gateways.http import HttpClient, Unanswered

PATH: Final = "/api/auth/jwks"
ANSWER_BYTES_MAX: Final = 1_000_000
KEYS_MAX: Final = 100
_OK: Final = 200


def fetch_keys(url: str, *, limit_s: float) -> Mapping[str, jwt.PyJWK]:
    """Fetch a JWK set and return its usable keys, by key id.

    Args:
        limit_s: How long that may take as a whole.

    Raises:
        Unanswered: there is no whole answer, or one without keys.
    """
    answer = HttpClient(limit_s=limit_s, bytes_max=ANSWER_BYTES_MAX).request("GET", url, follow=True)
    if answer.status != _OK:
        raise Unanswered(f"status {answer.status}")
    try:
        return read_keys(answer.body)
    except (ValueError, RecursionError) as error:
        raise Unanswered(f"no usable key ({type(error).__name__})") from error


def read_keys(body: bytes) -> Mapping[str, jwt.PyJWK]:
    """Read the usable keys of a JWK set, by key id. Other keys and malformed ones are left out.

    Raises:
        ValueError: the body is no JWK set, or has no usable key.
    """
    document = json.loads(body)
    members = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(members, list):
        raise ValueError("not a JWK set")  # noqa: TRY004 - a malformed answer, as any other
    keys = {member["kid"]: key for member in members[:KEYS_MAX] if (key := _read_key(member)) is not None}
    if not keys:
        raise ValueError("no usable key")
    return keys


def _read_key(member: Any) -> jwt.PyJWK | None:
    if not isinstance(member, dict) or (member.get("kty"), member.get("crv")) != ("OKP", "Ed25519"):
        return None
    if not isinstance(member.get("kid"), str) or not member["kid"]:
        return None
    try:
        return jwt.PyJWK(member, algorithm="EdDSA")
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
        return None
