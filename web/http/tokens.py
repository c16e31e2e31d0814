"""Verifying the issuer's tokens, and reading the user in them."""

import time
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final

import jwt

from domain.rules.instants import instant_of
from domain.rules.texts import BadText, check_id, clean_name
from domain.rules.user_ids import is_user_id
from domain.units import UserId
from web.http.jwks import IssuerKeys, KeysUnavailable
from web.http.problems import NotReady, Unauthorized

TOKEN_BYTES_MAX: Final = 8_192
VERIFIED_MAX: Final = 20_000
"""How many verified tokens are remembered; a signature costs 80 µs, remembering it 0.1 µs."""


@dataclass(frozen=True, kw_only=True)
class User:
    """The user that a token names.

    Attributes:
        email: As the issuer wrote it, in any case.
        email_verified: False only if the issuer says that it is not verified.
    """

    id: UserId
    email: str | None
    email_verified: bool
    name: str | None
    is_admin: bool


class Tokens:
    """Verifies the issuer's tokens (RFC 7519, EdDSA only), and remembers the verified ones until they expire."""

    def __init__(self, keys: IssuerKeys, *, issuer: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._verified: OrderedDict[str, tuple[User, float, str]] = OrderedDict()
        self._lock = Lock()

    def read_user(self, token: str) -> User:
        """Verify a token and return its user.

        Raises:
            Unauthorized: the token is not valid.
            NotReady: the issuer's keys are not known and cannot be fetched.
        """
        user, expires_at, key_id = self._verified.get(token, (None, 0.0, ""))
        if user is not None and expires_at > time.time() and self._keys.knows(key_id):
            return user
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
            expires_at = instant_of(claims["exp"])
        except KeysUnavailable:
            raise NotReady("The issuer of tokens cannot be reached") from None
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
            raise Unauthorized("The token is not valid") from None
        return _user(claims), expires_at.timestamp(), str(key_id)


def _user(claims: dict[str, Any]) -> User:
    subject = claims["sub"]
    if not isinstance(subject, str) or not is_user_id(subject):
        raise Unauthorized("The token's subject is not valid")
    email, name = claims.get("email"), claims.get("name")
    return User(
        id=UserId(subject),
        email=email if isinstance(email, str) and _is_id(email) else None,
        email_verified=claims.get("email_verified", True) is True,
        name=clean_name(name) if isinstance(name, str) else None,
        is_admin=claims.get("role") == "admin",
    )


def _is_id(text: str) -> bool:
    try:
        check_id(text)
    except BadText:
        return False
    return True
