"""Whether PostgreSQL can serve this process, told within a few seconds whatever happens."""

import threading
from concurrent.futures import Future
from typing import Final, Literal

from domain.errors import Busy, Unavailable
from domain.store import Database, UnfitDatabase

READY_WITHIN_S: Final = 2.5
"""How long the question may take. A load balancer must hear of a silent database before it gives up itself."""

State = Literal["ok", "unavailable", "unfit"]


class Readiness:
    """Asks PostgreSQL on a connection of this process, one question at a time.

    The question is asked in a thread of its own: a connection may take seconds to be found dead, one after the other.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._question: Future[State] | None = None

    def state(self) -> State:
        """Ask, or wait for the answer to a question that is under way; no answer in time is `unavailable`."""
        with self._lock:
            question = self._question
            if question is None:
                question = self._question = Future()
                threading.Thread(target=self._ask, args=(question,), name="readiness", daemon=True).start()
        try:
            return question.result(READY_WITHIN_S)
        except TimeoutError:
            return "unavailable"

    def _ask(self, question: "Future[State]") -> None:
        try:
            question.set_result(self._check())
        except Exception as error:  # noqa: BLE001 - who waits for the answer raises it
            question.set_exception(error)
        finally:
            with self._lock:
                self._question = None

    def _check(self) -> State:
        try:
            self._database.check()
        except UnfitDatabase:
            return "unfit"
        except (Busy, Unavailable):
            return "unavailable"
        return "ok"
