"""Signing keys of the development issuer, kept in a file, and the tokens made with them."""

import json
import secrets
import threading
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from local.state import write_private

AUDIENCE = "mana"
ALGORITHM = "EdDSA"
LIFETIME_S = 8 * 3600
"""How long a token is valid by default, in seconds: a working day."""


@dataclass(frozen=True, kw_only=True)
class SigningKey:
    """An Ed25519 key and the key id (`kid`) under which it is published."""

    id: str
    private: Ed25519PrivateKey

    @classmethod
    def generate(cls) -> "SigningKey":
        """Create a key with a new id."""
        return cls(id=secrets.token_urlsafe(8), private=Ed25519PrivateKey.generate())

    def public_jwk(self) -> dict[str, Any]:
        """Return the public key as a JWK (RFC 8037)."""
        jwk = jwt.get_algorithm_by_name(ALGORITHM).to_jwk(self.private.public_key(), as_dict=True)
        return {**jwk, "kid": self.id, "alg": ALGORITHM, "use": "sig"}


def mint(
    key: SigningKey,
    *,
    issuer: str,
    sub: str,
    email: str | None = None,
    email_verified: bool | None = True,
    name: str | None = None,
    role: str | None = "user",
    expires_in_s: int = LIFETIME_S,
    issued_at: int | None = None,
) -> str:
    """Sign a token as the auth service of Mana does. A claim that is `None` is left out.

    Args:
        key: The key that signs it.
        issuer: Base address of the issuer, `iss`.
        sub: The user's id.
        expires_in_s: Seconds from `issued_at` to the expiry; a negative number makes an expired token.
        issued_at: Unix time in seconds; `None` is now.
    """
    issued = int(time.time()) if issued_at is None else issued_at
    claims = {
        "sub": sub,
        "email": email,
        "email_verified": email_verified if email else None,
        "name": name,
        "role": role,
        "iat": issued,
        "exp": issued + expires_in_s,
        "iss": issuer,
        "aud": AUDIENCE,
    }
    payload = {claim: value for claim, value in claims.items() if value is not None}
    return jwt.encode(payload, key.private, algorithm=ALGORITHM, headers={"kid": key.id})


class KeyRing:
    """The issuer's keys, newest last, kept in a file that only its owner may read. Threads may share it.

    The newest key signs. The older keys stay published, so that tokens signed with them stay valid.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._keys = self._read()
        if not self._keys:
            self.rotate()

    @property
    def current(self) -> SigningKey:
        """The key that signs."""
        return self._keys[-1]

    def rotate(self) -> SigningKey:
        """Create a key, which signs from now on."""
        with self._lock:
            keys = [*self._keys, SigningKey.generate()]
            self._write(keys)
            self._keys = keys
            return keys[-1]

    def public_jwks(self) -> dict[str, Any]:
        """Return the public keys as a JWK set (RFC 7517)."""
        return {"keys": [key.public_jwk() for key in self._keys]}

    def _read(self) -> list[SigningKey]:
        if not self._file.exists():
            return []
        stored: dict[str, str] = json.loads(self._file.read_text(encoding="ascii"))
        return [
            SigningKey(id=key_id, private=Ed25519PrivateKey.from_private_bytes(urlsafe_b64decode(secret)))
            for key_id, secret in stored.items()
        ]

    def _write(self, keys: list[SigningKey]) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        stored = {key.id: urlsafe_b64encode(key.private.private_bytes_raw()).decode() for key in keys}
        write_private(self._file, json.dumps(stored))
