"""Honest users who go on while an attack runs: what they are answered, and how long it takes."""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self
from uuid import uuid4

import requests

from local.stack import LocalStack

USERS: Final = 8
PAUSE_S: Final = 0.05
TIMEOUT_S: Final = 30.0
USE: Final = {"amount": 1, "appId": "chat", "description": "An honest question"}


@dataclass
class HonestUsers:
    """Users who read their balance and spend credits, each in a thread, while the block runs.

    Attributes:
        seconds: How long each answer took.
        statuses: How often each status was answered; 0 for a connection that broke.
        bare_503: How many 503 came without `Retry-After`.
    """

    stack: LocalStack
    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    bare_503: int = 0
    _ended: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        for number in range(USERS):
            user = f"honest-{number}"
            headers = {"Authorization": f"Bearer {self.stack.token(user)}"}
            thread = threading.Thread(target=self._live, args=[headers])
            self._threads.append(thread)
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    @property
    def p99_s(self) -> float:
        """The time within which 99 of 100 were answered."""
        return sorted(self.seconds)[len(self.seconds) * 99 // 100] if self.seconds else 0.0

    def _live(self, headers: dict[str, str]) -> None:
        address = f"{self.stack.base_url}/api/v1/credits"
        while not self._ended.wait(PAUSE_S):
            self._ask("GET", f"{address}/balance", headers)
            self._ask("POST", f"{address}/use", {**headers, "Idempotency-Key": uuid4().hex}, USE)

    def _ask(self, method: str, url: str, headers: dict[str, str], body: Any = None) -> None:
        began = time.monotonic()
        try:
            answer = requests.request(method, url, headers=headers, json=body, timeout=TIMEOUT_S)
        except requests.RequestException:
            self.statuses[0] += 1
        else:
            self.statuses[answer.status_code] += 1
            self.bare_503 += answer.status_code == 503 and "Retry-After" not in answer.headers
        self.seconds.append(time.monotonic() - began)
