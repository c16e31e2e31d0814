"""Faults on demand: how the next calls of an endpoint go wrong."""

import threading
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any


class Fault(StrEnum):
    """How a call goes wrong.

    `500_before`: 500 without any work; a retry does the work. `500_stored`: 500 without any work, kept for the key.
    `500_after`: the work is done, but 500 is answered and kept for the key. `429`, `409`: refused before any work.
    `hang`: the call waits `seconds` with its key in use, then it succeeds. `die_after`: the work is done and its answer
    is kept for the key, but the connection is closed without a response.
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
    """A fault that will hit certain calls.

    Attributes:
        method: HTTP method, or empty for any.
        path: Beginning of the path, such as `/v1/payment_intents`; empty for any.
        times: How many more calls it will hit.
        seconds: How long a `hang` lasts.
    """

    fault: Fault
    method: str = ""
    path: str = ""
    times: int = 1
    seconds: float = 0.0

    def hits(self, method: str, path: str) -> bool:
        """Return whether the fault is for this call."""
        return self.method in {"", method} and path.startswith(self.path)


class Misbehaviours:
    """The faults that are still to come, in the order in which they were added."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._coming: list[Misbehaviour] = []

    def add(self, misbehaviour: Misbehaviour) -> None:
        """Add a fault for later calls."""
        with self._lock:
            self._coming.append(misbehaviour)

    def take(self, method: str, path: str) -> Misbehaviour | None:
        """Return the fault that hits a call, and count it; `None` if there is none."""
        with self._lock:
            for index, misbehaviour in enumerate(self._coming):
                if misbehaviour.hits(method, path):
                    self._coming[index] = replace(misbehaviour, times=misbehaviour.times - 1)
                    self._coming = [fault for fault in self._coming if fault.times > 0]
                    return misbehaviour
        return None

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._coming.clear()

    def waiting(self) -> list[dict[str, Any]]:
        """Return the faults that are still to come, as dictionaries."""
        with self._lock:
            return [vars(misbehaviour) for misbehaviour in self._coming]
