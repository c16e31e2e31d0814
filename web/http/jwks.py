"""The issuer's public keys: fetched, kept while the issuer cannot be reached, fetched again when it rotates them.

One thread of its own fetches, one fetch at a time, with a limit for the whole of it. A request with a known key never
waits. A few with an unknown key wait for the fetch; the others are asked to come again, so that an issuer that drips
does not hold the threads of this process.
"""

import threading
import time
from collections.abc import Mapping
from typing import Final

import jwt
import structlog

from gateways.http import Unanswered
from gateways.issuer import fetch_keys

FRESH_S: Final = 300
"""After this the keys are fetched again in the background, so that a withdrawn key is noticed."""

KEPT_S: Final = 24 * 3600
"""How long known keys are used while the issuer cannot be reached."""

UNKNOWN_PAUSE_S: Final = 30
"""Unknown key ids cause at most one fetch in this time, however many are sent."""

EMPTY_PAUSE_S: Final = 2
"""The same while no key is known."""

FETCH_LIMIT_S: Final = 3.0
WAITING_MAX: Final = 8
"""How many requests of this process wait for a fetch: a quarter of its threads."""

log = structlog.get_logger()


class KeysUnavailable(Exception):
    """No usable key is known and the issuer cannot be reached, or too many requests wait for it already."""


class IssuerKeys:
    """The Ed25519 keys that `url` publishes (RFC 7517), by key id. Safe to share between threads."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._fetched_at = float("-inf")
        self._last_fetch_at = float("-inf")
        self._lock = threading.Lock()
        self._fetched: threading.Event | None = None
        self._has_fetched = False
        self._waiting = threading.BoundedSemaphore(WAITING_MAX)

    def find(self, key_id: str) -> jwt.PyJWK | None:
        """Find a key; `None` if the issuer does not publish it.

        Raises:
            KeysUnavailable: no key is known that may still be trusted, or it is not known yet.
        """
        if self.knows(key_id):
            return self._keys[key_id]
        self._wait_for(self._fetch_if_due(UNKNOWN_PAUSE_S if self._keys else EMPTY_PAUSE_S))
        if not self._keys or time.monotonic() - self._fetched_at >= KEPT_S:
            raise KeysUnavailable
        return self._keys.get(key_id)

    def knows(self, key_id: str) -> bool:
        """Return whether a key was published at the last fetch; starts another fetch if that was long ago."""
        age = time.monotonic() - self._fetched_at
        is_known = key_id in self._keys and age < KEPT_S
        if is_known and age > FRESH_S:
            self._fetch_if_due(UNKNOWN_PAUSE_S)
        return is_known

    def _wait_for(self, fetched: threading.Event | None) -> None:
        if fetched is None or fetched.is_set():
            return
        is_bounded = self._has_fetched  # all who come first wait for the first fetch: nobody is known before it
        if is_bounded and not self._waiting.acquire(blocking=False):
            raise KeysUnavailable
        try:
            if not fetched.wait(FETCH_LIMIT_S):
                raise KeysUnavailable
        finally:
            if is_bounded:
                self._waiting.release()

    def _fetch_if_due(self, pause_s: float) -> threading.Event | None:
        """Begin to fetch, unless a fetch is going on, or began within `pause_s`; returns what tells its end."""
        with self._lock:
            if self._fetched is not None:
                return self._fetched
            if time.monotonic() - self._last_fetch_at < pause_s:
                return None
            self._last_fetch_at = time.monotonic()
            fetched = self._fetched = threading.Event()
        try:
            threading.Thread(target=self._fetch_and_tell, args=(fetched,), daemon=True).start()
        except RuntimeError:  # no thread can be started now
            self._end_fetch(fetched)
        return fetched

    def _fetch_and_tell(self, fetched: threading.Event) -> None:
        try:
            self._keys = fetch_keys(self._url, limit_s=FETCH_LIMIT_S)
            self._fetched_at = time.monotonic()
        except Unanswered as error:
            log.warning("jwks_fetch_failed", error=str(error))
        finally:
            self._end_fetch(fetched)

    def _end_fetch(self, fetched: threading.Event) -> None:
        with self._lock:
            self._fetched = None
            self._has_fetched = True
        fetched.set()
