"""Faults on demand: what the next calls of some endpoint shall suffer."""

import threading
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any


class Fault(StrEnum):
    """How a call goes wrong.

    `500_before`: nothing is done, 500, a repeat does the work. `500_stored`: nothing is done, 500 kept for the key.
    `500_after`: the work is done, 500 kept for the key. `429`, `409`: refused before any work. `hang`: nothing happens
    for `seconds`, with the key in use; then all goes well. `die_after`: the work is done and its answer kept for the
    key, but the connection closes without an answer.
    """

    BROKEN_BEFORE = "500_before"
    BROKEN_STORED = "500_stored"
    BROKEN_AFTER = "500_after"
    RATE_LIMITED = "429"
    CONFLICT = "409"
    HANG = "hang"
    DIE_AFTER = "die_after"


@dataclass(frozen=True)
class Misbehaviour:
    """A fault that waits for its calls.

    Attributes:
        method: HTTP method, or empty for any.
        path: Beginning of the path, such as `/v1/payment_intents`; empty for any.
        times: How many calls it will still hit.
        seconds: How long a `hang` lasts.
    """

    fault: Fault
    method: str = ""
    path: str = ""
    times: int = 1
    seconds: float = 0.0

    def hits(self, method: str, path: str) -> bool:
        """Tell whether a call is meant."""
        return self.method in {"", method} and path.startswith(self.path)


class Misbehaviours:
    """The faults that are still to come, first come first served."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._coming: list[Misbehaviour] = []

    def add(self, misbehaviour: Misbehaviour) -> None:
        """Let a fault wait for its calls."""
        with self._lock:
            self._coming.append(misbehaviour)

    def take(self, method: str, path: str) -> Misbehaviour | None:
        """Give the fault that a call suffers, and count it."""
        with self._lock:
            for index, misbehaviour in enumerate(self._coming):
                if misbehaviour.hits(method, path):
                    self._coming[index] = replace(misbehaviour, times=misbehaviour.times - 1)
                    self._coming = [waiting for waiting in self._coming if waiting.times > 0]
                    return misbehaviour
        return None

    def clear(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._coming.clear()

    def waiting(self) -> list[dict[str, Any]]:
        """Show the faults that are still to come."""
        with self._lock:
            return [vars(misbehaviour) for misbehaviour in self._coming]
