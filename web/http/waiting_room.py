"""Where requests wait for their jobs, without occupying the threads that other requests need.

Only a part of the threads may wait, and no request waits for a job in a long queue. Renewals have a queue of their
own, so a wave of them does not matter to other jobs.
"""

import threading
import time
from dataclasses import dataclass
from typing import Final

from domain.errors import Busy, Unavailable
from domain.rules.jobs import Job, JobState, Queue
from domain.store import Database
from domain.store import jobs as job_rows
from domain.store.job_execution import oldest_pending_age

WAITING_MAX: Final = 16
"""How many threads of this process may wait for jobs: half of them."""

_FIRST_PAUSE_S: Final = 0.004
_LONGEST_PAUSE_S: Final = 0.1
_AGE_VALID_S: Final = 1.0


@dataclass(frozen=True, kw_only=True)
class _Age:
    """How old a queue's oldest due job is. Valid until `until` of the monotonic clock."""

    age_s: float
    until: float


class WaitingRoom:
    """Where requests wait for their jobs."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._places = threading.BoundedSemaphore(WAITING_MAX)
        self._ages: dict[Queue, _Age] = {}

    def wait(self, job: Job, *, most_s: float) -> Job:
        """Wait for a job to end; returns it as it then is: ended or still pending."""
        if job.state is not JobState.PENDING or most_s <= 0 or self._queue_age_s(job.queue) > most_s:
            return job
        if not self._places.acquire(blocking=False):
            return job
        try:
            return self._watch(job, time.monotonic() + most_s)
        finally:
            self._places.release()

    def _watch(self, job: Job, until: float) -> Job:
        pause = _FIRST_PAUSE_S
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(pause, left))
            pause = min(pause * 1.5, _LONGEST_PAUSE_S)
            try:
                with self._database.read() as reader:
                    job = job_rows.by_id(reader, job.id) or job
            except (Busy, Unavailable):
                return job  # it is recorded; the client can follow it
            if job.state is not JobState.PENDING:
                break
        return job

    def _queue_age_s(self, queue: Queue) -> float:
        """Return for how many seconds the oldest due job of a queue has waited; at most a second old."""
        latest = self._ages.get(queue)
        if latest is None or time.monotonic() > latest.until:
            try:
                with self._database.read() as reader:
                    age = oldest_pending_age(reader, queue)
            except (Busy, Unavailable):
                age = None
            latest = _Age(age_s=age.total_seconds() if age else 0.0, until=time.monotonic() + _AGE_VALID_S)
            self._ages[queue] = latest
        return latest.age_s
