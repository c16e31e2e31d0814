"""Who is asking: guards, one for each kind of caller. Every route stands behind exactly one."""

import hmac
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final

import jwt
from flask import g, request

from domain.units import USER_ID_MAX, UserId
from web.http.jwks import IssuerKeys, KeysUnavailable
from web.http.problems import Forbidden, NotReady, Unauthorized
from web.http.surroundings import surroundings

TOKEN_BYTES_MAX: Final = 8_192
VERIFIED_MAX: Final = 20_000
"""How many verified tokens are remembered; a signature costs 80 µs, remembering it 0.1 µs."""


@dataclass(frozen=True, kw_only=True)
class User:
    """The user a token speaks for.

    Attributes:
        email: Lower or mixed case, as the issuer wrote it.
        email_verified: Whether the issuer says so, or says nothing of it.
    """

    id: UserId
    email: str | None
    email_verified: bool
    name: str | None
    is_admin: bool


@dataclass(frozen=True, kw_only=True)
class Guard:
    """A check that every request to a group of routes passes first.

    Attributes:
        name: As the OpenAPI document's security scheme; `None` for open doors.
    """

    name: str | None
    check: Callable[[], None]


class Tokens:
    """Verifies the issuer's tokens (RFC 7519, EdDSA only), remembering those it has verified until they end."""

    def __init__(self, keys: IssuerKeys, *, issuer: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._verified: OrderedDict[str, tuple[User, float, str]] = OrderedDict()
        self._lock = Lock()

    def user_of(self, token: str) -> User:
        """Read the user a token speaks for.

        Raises:
            Unauthorized: the token is not valid.
            NotReady: the issuer's keys are not known and cannot be fetched.
        """
        known = self._verified.get(token)
        if known is not None and known[1] > time.time() and self._keys.knows(known[2]):
            return known[0]
        if len(token) > TOKEN_BYTES_MAX:
            raise Unauthorized("The token is too large")
        user, expires_at, key_id = self._verify(token)
        with self._lock:
            self._verified[token] = (user, expires_at, key_id)
            while len(self._verified) > VERIFIED_MAX:
                self._verified.popitem(last=False)
        return user

    def _verify(self, token: str) -> tuple[User, float, str]:
        try:
            header = jwt.get_unverified_header(token)
            key_id = header.get("kid")
            key = self._keys.find(key_id) if header.get("alg") == "EdDSA" and isinstance(key_id, str) else None
            if key is None:
                raise Unauthorized("The token is not signed with a key we know")
            claims = jwt.decode(
                token,
                key,
                algorithms=["EdDSA"],
                audience="mana",
                issuer=[self._issuer, f"{self._issuer}/"],
                options={"require": ["exp", "iat", "sub"], "verify_iat": False},
            )
        except KeysUnavailable:
            raise NotReady("The issuer of tokens cannot be reached") from None
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
            raise Unauthorized("The token is not valid") from None
        return _user(claims), float(claims["exp"]), str(key_id)


def _user(claims: dict[str, Any]) -> User:
    subject = claims["sub"]
    if not isinstance(subject, str) or not 1 <= len(subject) <= USER_ID_MAX or not _storable(subject):
        raise Unauthorized("The token's subject is not valid")
    email, name = claims.get("email"), claims.get("name")
    return User(
        id=UserId(subject),
        email=email if isinstance(email, str) and _storable(email) else None,
        email_verified=claims.get("email_verified", True) is True,
        name=name if isinstance(name, str) and _storable(name) else None,
        is_admin=claims.get("role") == "admin",
    )


def _storable(text: str) -> bool:
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _check_user() -> None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized("A bearer token is needed")
    g.user = surroundings().tokens.user_of(token.strip())


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
    """Compare with every key, in constant time, so that neither the key nor which one matched can be timed."""
    told = request.headers.get("X-Service-Key", "").encode("latin-1", "replace")
    matches = [hmac.compare_digest(told, key.encode()) for key in surroundings().settings.service_keys]
    return any(matches)


def _check_nothing() -> None:
    """Open to everyone."""


def as_caller_may_see(user: User | None) -> UserId | None:
    """Tell whose objects the caller may see; `None` for services and admins, who see all."""
    return None if user is None or user.is_admin else user.id


public = Guard(name=None, check=_check_nothing)
user = Guard(name="user", check=_check_user)
service = Guard(name="service", check=_check_service)
admin = Guard(name="admin", check=_check_admin)
user_or_service = Guard(name="userOrService", check=_check_user_or_service)
stripe_signature = Guard(name="stripeSignature", check=_check_nothing)
"""The webhook's guard is the signature of its body, checked where the body is read."""
