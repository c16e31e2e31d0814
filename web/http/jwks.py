"""The issuer's public keys: fetched, kept while the issuer cannot be reached, fetched again when it rotates them."""

import json
import threading
import time
import urllib.request
from collections.abc import Mapping
from typing import Final

import jwt
import structlog

FRESH_S: Final = 300
"""After this the keys are fetched again in the background, so that a withdrawn key is noticed."""

KEPT_S: Final = 24 * 3600
"""How long known keys are used while the issuer cannot be reached."""

UNKNOWN_PAUSE_S: Final = 30
"""Unknown key ids cause at most one fetch in this time, however many are sent."""

EMPTY_PAUSE_S: Final = 2
"""The same while no key is known."""

FETCH_TIMEOUT_S: Final = 3
ANSWER_BYTES_MAX: Final = 1_000_000

log = structlog.get_logger()


class KeysUnavailable(Exception):
    """No usable key is known, and the issuer cannot be reached."""


class IssuerKeys:
    """The Ed25519 keys that `url` publishes (RFC 7517), by key id. Safe to share between threads."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._fetched_at = float("-inf")
        self._last_fetch_at = float("-inf")
        self._fetching = threading.Lock()

    def find(self, key_id: str) -> jwt.PyJWK | None:
        """Find a key; `None` if the issuer does not publish it.

        Raises:
            KeysUnavailable: no key is known that may still be trusted.
        """
        age = time.monotonic() - self._fetched_at
        if key_id in self._keys and age < KEPT_S:
            if age > FRESH_S:
                self._refresh_in_background()
            return self._keys[key_id]
        self._fetch_if_due(UNKNOWN_PAUSE_S if self._keys else EMPTY_PAUSE_S)
        if not self._keys or time.monotonic() - self._fetched_at >= KEPT_S:
            raise KeysUnavailable
        return self._keys.get(key_id)

    def knows(self, key_id: str) -> bool:
        """Return whether a key was published at the last fetch; starts another fetch if that was long ago."""
        age = time.monotonic() - self._fetched_at
        if age > FRESH_S:
            self._refresh_in_background()
        return key_id in self._keys and age < KEPT_S

    def _refresh_in_background(self) -> None:
        if time.monotonic() - self._last_fetch_at > UNKNOWN_PAUSE_S and not self._fetching.locked():
            threading.Thread(target=self._fetch_if_due, args=(UNKNOWN_PAUSE_S,), daemon=True).start()

    def _fetch_if_due(self, pause_s: float) -> None:
        """Fetch, unless the last fetch began within `pause_s`. One thread fetches; the others wait for its keys."""
        with self._fetching:
            if time.monotonic() - self._last_fetch_at < pause_s:
                return
            self._last_fetch_at = time.monotonic()
            try:
                self._keys = self._fetch()
                self._fetched_at = time.monotonic()
            except (OSError, ValueError, KeyError, TypeError, jwt.PyJWTError) as error:
                log.warning("jwks_fetch_failed", error=type(error).__name__)

    def _fetch(self) -> Mapping[str, jwt.PyJWK]:
        with urllib.request.urlopen(self._url, timeout=FETCH_TIMEOUT_S) as answer:  # noqa: S310 - our own setting
            published = json.loads(answer.read(ANSWER_BYTES_MAX))
        usable = [key for key in published["keys"] if key.get("kty") == "OKP" and key.get("crv") == "Ed25519"]
        return {key["kid"]: jwt.PyJWK(key, algorithm="EdDSA") for key in usable if key.get("kid")}
