"""Group commit: movements that are requested at the same time share a statement, a round trip and a commit."""

import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from threading import Lock
from typing import Final

from domain.errors import Busy, Unavailable
from domain.rules.ledger import Appended, Movement
from domain.store import ledger
from domain.store.database import Database, Store
from domain.units import UserId

TOGETHER_MAX: Final = 32
LOCK_TIMEOUT_S: Final = 0.05
"""How long a locked balance may hold up all that are written together."""

ALONE_FOR_S: Final = 5.0
"""How long a user's movements are written alone after one was refused as busy."""

PATIENCE_S: Final = 1.0
"""How long a movement waits to be written with others before it is written alone."""


class _Waiting:
    """A movement that waits in the line."""

    __slots__ = ("called", "failure", "leads", "movement", "now", "written")

    def __init__(self, movement: Movement, now: datetime) -> None:
        self.movement = movement
        self.now = now
        self.leads = False
        self.written: Appended | None = None
        self.failure: Unavailable | None = None
        self.called = Lock()  # released once; costs a third of an Event
        self.called.acquire()


class GroupCommit:
    """Appends to the ledger for all threads of a process.

    The first in the line leads: it writes, in one statement, whatever has come by then. When it is done, the first of
    those that came since leads. What cannot be written with the others (a refusal, a repetition, a balance that is
    locked for long, and all of them if the statement fails) is written alone. A movement may be attempted twice; its
    key makes sure that it is written once.

    Args:
        url: libpq's address, `postgresql://…`.
        alone: Opens a store to write a movement of this user alone.
    """

    def __init__(self, url: str, *, alone: Callable[[UserId], AbstractContextManager[Store]]) -> None:
        self._database = Database(url, pool_size=1, lock_timeout_s=LOCK_TIMEOUT_S)
        self._alone = alone
        self._lock = Lock()
        self._line: deque[_Waiting] = deque()
        self._is_led = False
        self._busy_until: dict[UserId, float] = {}

    def append(self, movement: Movement, *, now: datetime) -> Appended:
        """Move credits, once for the movement's key; see `ledger.append`.

        Raises:
            InsufficientCredits: a debit is larger than the balance.
            KeyReused: the movement's key is in the ledger already, from another request.
            Busy: the balance is locked for too long.
            Unavailable: PostgreSQL is away.
        """
        return self._append_in_line(movement, now) or self._append_alone(movement, now)

    def close(self) -> None:
        """Close the connection."""
        self._database.close()

    def _append_alone(self, movement: Movement, now: datetime) -> Appended:
        try:
            with self._alone(movement.user_id) as store:
                return ledger.append(store, movement, now=now)
        except Busy:
            with self._lock:
                self._busy_until[movement.user_id] = time.monotonic() + ALONE_FOR_S
            raise

    def _append_in_line(self, movement: Movement, now: datetime) -> Appended | None:
        waiting = _Waiting(movement, now)
        with self._lock:
            if self._busy_until and self._is_busy(movement.user_id):
                return None
            self._line.append(waiting)
            if not self._is_led:
                self._call_leader()
        if not waiting.called.acquire(timeout=PATIENCE_S):
            self._leave(waiting)
        if waiting.leads:
            self._lead()
        if waiting.failure:
            raise waiting.failure
        return waiting.written

    def _is_busy(self, user_id: UserId) -> bool:
        now = time.monotonic()
        self._busy_until = {user: until for user, until in self._busy_until.items() if until > now}
        return user_id in self._busy_until

    def _call_leader(self) -> None:
        """Let the first in the line lead, if there is one."""
        self._is_led = bool(self._line)
        if self._is_led:
            self._line[0].leads = True
            self._line[0].called.release()

    def _leave(self, waiting: _Waiting) -> None:
        with self._lock:
            if waiting in self._line and not waiting.leads:
                self._line.remove(waiting)

    def _lead(self) -> None:
        with self._lock:
            together = [self._line.popleft() for _ in range(min(len(self._line), TOGETHER_MAX))]
        try:
            self._write(together)
        finally:
            with self._lock:
                self._call_leader()
            for waiting in together[1:]:  # the first is the leader
                waiting.called.release()

    def _write(self, together: list[_Waiting]) -> None:
        movements, now = [waiting.movement for waiting in together], together[-1].now
        until = time.monotonic() + PATIENCE_S
        try:
            with self._database.single() as store:
                if len(movements) == 1:
                    together[0].written = ledger.append(store, movements[0], now=now)
                    return
                written = ledger.append_together(store, movements, now=now)
        except Exception as error:  # noqa: BLE001 - each is then written alone, and gets its own error
            if isinstance(error, Unavailable) and time.monotonic() > until:
                # PostgreSQL was silent. The others lost their patience and left; the leader must not wait once more.
                together[0].failure = error
            return
        for waiting, appended in zip(together, written, strict=True):
            waiting.written = appended
