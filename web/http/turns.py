"""Taking turns: one user's flood, or one user's locked row, must not take every thread and connection of the house."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from domain.errors import Busy
from domain.units import UserId

AT_ONCE: Final = 4
"""How many requests of one user may be in the database at once, in this process."""

IN_LINE: Final = 60
"""How many more may wait for their turn: fifty repeats of one key at once are all answered, a flood is not."""

PATIENT: Final = 12
"""How many of these wait `WAIT_S`; those behind them only `SHORT_WAIT_S`, so that most threads stay free for others."""

WAIT_S: Final = 2.0
SHORT_WAIT_S: Final = 0.3


class _Line:
    """The requests of one user: those inside, and those waiting."""

    __slots__ = ("freed", "inside", "waiting")

    def __init__(self, lock: threading.Lock) -> None:
        self.freed = threading.Condition(lock)
        self.inside = 0
        self.waiting = 0


class Turns:
    """Lets a few requests of each user in at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: dict[UserId, _Line] = {}

    @contextmanager
    def of(self, user_id: UserId) -> Iterator[None]:
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
            line = self._lines.get(user_id) or self._lines.setdefault(user_id, _Line(self._lock))
            if line.inside >= AT_ONCE:
                self._wait(line)
            line.inside += 1

    def _wait(self, line: _Line) -> None:
        if line.waiting >= IN_LINE:
            raise Busy("too many requests of this user are waiting")
        line.waiting += 1
        patience_s = WAIT_S if line.waiting <= PATIENT else SHORT_WAIT_S
        try:
            if not line.freed.wait_for(lambda: line.inside < AT_ONCE, patience_s):
                raise Busy("other requests of this user take too long")
        finally:
            line.waiting -= 1

    def _leave(self, user_id: UserId) -> None:
        with self._lock:
            line = self._lines[user_id]
            line.inside -= 1
            if line.waiting:
                line.freed.notify()
            elif not line.inside:
                del self._lines[user_id]
