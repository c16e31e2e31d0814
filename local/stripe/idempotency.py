"""Idempotency keys: the work for a key is done once, and its answer is kept.

Source: https://docs.stripe.com/api/idempotent_requests. The answer is kept if the request's work had begun, whether it
succeeded or failed (500 too); refused parameters and conflicts are not kept.
"""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from local.stripe import errors
from local.stripe.documents import Document
from local.stripe.state import State

LIFE_S = 86_400
KEY_LENGTH_MAX = 255


@dataclass(frozen=True)
class KeyedRequest:
    """A request with an idempotency key.

    Attributes:
        endpoint: Method and path of the request.
    """

    key: str
    endpoint: str
    parameters: Document

    @property
    def fingerprint(self) -> str:
        """Return a hash of the parameters."""
        return hashlib.sha256(json.dumps(self.parameters, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Answer:
    """A response of the API, as it is kept for a key."""

    status: int
    body: Document
    request_id: str


class Keys:
    """The keys that are in use, and the kept answers of keys that were used."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._running: set[str] = set()
        self._lock = threading.Lock()

    @contextmanager
    def hold(self, key: str) -> Iterator[None]:
        """Refuse other requests with this key until the end of the block.

        Raises:
            ApiError: 409 while another request with this key is running; 400 for a key that is too long.
        """
        if len(key) > KEY_LENGTH_MAX:
            raise errors.idempotency_mismatch(f"Idempotency keys can have up to {KEY_LENGTH_MAX} characters.")
        with self._lock:
            if key in self._running:
                raise errors.key_in_use(key)
            self._running.add(key)
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(key)

    def kept_answer(self, request: KeyedRequest, *, now: int) -> Answer | None:
        """Return the kept answer of the request's key; `None` if there is none.

        Raises:
            ApiError: the key was first used with other parameters or for another endpoint.
        """
        self._state.rows("DELETE FROM answers WHERE key = ? AND created < ?", (request.key, now - LIFE_S))
        rows = self._state.rows(
            "SELECT fingerprint, endpoint, status, body, request_id FROM answers WHERE key = ?", (request.key,)
        )
        if not rows:
            return None
        fingerprint, endpoint, status, body, request_id = rows[0]
        if endpoint != request.endpoint:
            raise errors.idempotency_mismatch(
                "Keys for idempotent requests can only be used for the same endpoint they were first used for "
                f"('{request.endpoint}' vs '{endpoint}'). Try using a key other than '{request.key}' if you meant to "
                "execute a different request."
            )
        if fingerprint != request.fingerprint:
            raise errors.idempotency_mismatch(
                "Keys for idempotent requests can only be used with the same parameters they were first used with. "
                f"Try using a key other than '{request.key}' if you meant to execute a different request."
            )
        return Answer(status, json.loads(body), request_id)

    def keep(self, request: KeyedRequest, answer: Answer, *, now: int) -> None:
        """Keep an answer, in the transaction of its work."""
        self._state.rows(
            "INSERT INTO answers (key, fingerprint, endpoint, status, body, request_id, created)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                request.key,
                request.fingerprint,
                request.endpoint,
                answer.status,
                json.dumps(answer.body),
                answer.request_id,
                now,
            ),
        )

    def forget(self) -> None:
        """Delete all kept answers, as Stripe does after a day."""
        with self._state.transaction():
            self._state.rows("DELETE FROM answers")
