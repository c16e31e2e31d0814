"""Taking turns: one user's many requests, or one locked row, must not occupy every thread and connection."""

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from domain.errors import Busy
from domain.units import UserId

AT_ONCE: Final = 2
"""How many requests of a user may use the database at once, in this process. More would wait for the row's lock."""

IN_LINE: Final = 60
"""How many more may wait for their turn. Fifty repeats of one key at once are all answered; thousands are not."""

PATIENT: Final = 12
"""How many wait `WAIT_S` while no turn ends. Those behind them wait only `SHORT_WAIT_S`, so that most threads stay free
for others. While turns end, all wait `WAIT_S`."""

WAIT_S: Final = 2.0
SHORT_WAIT_S: Final = 0.3


class _Line:
    """The requests of one user: how many have a turn, who waits (in order), and when the last turn ended."""

    __slots__ = ("inside", "moved_at", "waiting")

    def __init__(self) -> None:
        self.inside = 0
        self.moved_at = 0.0
        self.waiting: deque[threading.Event] = deque()


class Turns:
    """Gives turns to a few requests of each user at a time, in the order they came."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: dict[UserId, _Line] = {}

    @contextmanager
    def take(self, user_id: UserId) -> Iterator[None]:
        """Wait for a turn and hold it for the block.

        Raises:
            Busy: too many are waiting already, or no turn came in time.
        """
        self._enter(user_id)
        try:
            yield
        finally:
            self._leave(user_id)

    def _enter(self, user_id: UserId) -> None:
        with self._lock:
            line = self._lines.get(user_id) or self._lines.setdefault(user_id, _Line())
            if line.inside < AT_ONCE:
                line.inside += 1
                return
            if len(line.waiting) >= IN_LINE:
                raise Busy("too many requests of this user are waiting")
            patience_s = WAIT_S if len(line.waiting) < PATIENT else SHORT_WAIT_S
            called = threading.Event()
            line.waiting.append(called)
        self._wait(line, called, patience_s)

    def _wait(self, line: _Line, called: threading.Event, patience_s: float) -> None:
        until = time.monotonic() + WAIT_S
        left_s = patience_s
        while not called.wait(left_s):
            with self._lock:
                if called.is_set():  # the turn came at this moment
                    return
                left_s = min(until, line.moved_at + patience_s) - time.monotonic()
                if left_s <= 0:
                    line.waiting.remove(called)
                    raise Busy("other requests of this user take too long")

    def _leave(self, user_id: UserId) -> None:
        with self._lock:
            line = self._lines[user_id]
            line.moved_at = time.monotonic()
            if line.waiting:
                line.waiting.popleft().set()  # the turn goes to the next in line, and to no newcomer
                return
            line.inside -= 1
            if not line.inside:
                del self._lines[user_id]
