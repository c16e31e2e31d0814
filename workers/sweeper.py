"""The sweeper: a thread in each worker process that rings again for due jobs that no worker has started."""

import threading
from typing import Final

import structlog
from dramatiq import Broker, Worker
from dramatiq.middleware import Middleware

from domain.errors import Busy, Unavailable
from domain.operations.jobs import take_silent
from process.parts import WorkerParts, worker_parts

PAUSE_S: Final = 1.0
BATCH: Final = 500

log = structlog.get_logger()


def sweep(parts: WorkerParts) -> int:
    """Ring again for a batch of due jobs that no worker has started; returns how many."""
    with parts.database.begin() as store:
        silent = take_silent(store, most=BATCH)
    parts.bell.ring_ids(silent)
    return sum(len(ids) for ids in silent.values())


class Sweeper(Middleware):
    """Sweeps once a second for as long as the worker lives."""

    def __init__(self) -> None:
        self._stop = threading.Event()

    def after_worker_boot(self, _broker: Broker, _worker: Worker) -> None:
        """Start with the worker."""
        threading.Thread(target=self._run, name="sweeper", daemon=True).start()

    def before_worker_shutdown(self, _broker: Broker, _worker: Worker) -> None:
        """Stop with the worker."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(PAUSE_S):
            try:
                rung = sweep(worker_parts())
            except (Busy, Unavailable) as error:
                log.warning("sweep_failed", error=type(error).__name__)
            except Exception:  # the outermost frame: without its sweeper a lost ring would leave a job pending
                log.exception("sweep_failed")
            else:
                if rung:
                    log.info("rang_again", jobs=rung)
