"""Guards: one for each kind of caller. Every route has exactly one."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass

from flask import g, request

from domain.units import UserId
from web.http.parts import current_parts
from web.http.problems import Forbidden, NotReady, Unauthorized
from web.http.tokens import User


@dataclass(frozen=True, kw_only=True)
class Guard:
    """A check that every request to a group of routes passes first.

    Attributes:
        name: Of the security scheme in the OpenAPI document; `None` where everyone may call.
    """

    name: str | None
    check: Callable[[], None]


def _check_user() -> None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized("A bearer token is needed")
    g.user = current_parts().tokens.read_user(token.strip())


def _check_admin() -> None:
    _check_user()
    if not g.user.is_admin:
        raise Forbidden("Only for administrators")


def _check_service() -> None:
    if not _is_service():
        raise Unauthorized("A valid X-Service-Key is needed")


def _check_user_or_service() -> None:
    if "X-Service-Key" in request.headers:
        _check_service()
        g.user = None
    else:
        _check_user()


def _is_service() -> bool:
    """Compare with every key in constant time: the time taken shows neither a key nor which of them matched."""
    sent = request.headers.get("X-Service-Key", "").encode("latin-1", "replace")
    matches = [hmac.compare_digest(sent, key.encode()) for key in current_parts().settings.service_keys]
    return any(matches)


def note_user() -> None:
    """Note who calls an open door, if a good token says so: their misses are counted as theirs."""
    try:
        _check_user()
    except (Unauthorized, NotReady):
        g.user = None


def _check_nothing() -> None:
    """Let everyone in."""


def visible_owner(user: User | None) -> UserId | None:
    """Return whose objects the caller may see; `None` for services and admins, who may see all."""
    return None if user is None or user.is_admin else user.id


public = Guard(name=None, check=_check_nothing)
user = Guard(name="user", check=_check_user)
service = Guard(name="service", check=_check_service)
admin = Guard(name="admin", check=_check_admin)
user_or_service = Guard(name="userOrService", check=_check_user_or_service)
stripe_signature = Guard(name="stripeSignature", check=_check_nothing)
"""The webhook's guard is the signature of its body, checked where the body is read."""
