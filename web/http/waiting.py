"""Queued acts: ring, wait a little for the worker, answer what it did, or 202 with where to ask.

Waiting never starves the API: a bounded share of the threads may wait, and nobody waits behind a long queue. A wave
of renewals has a queue of its own, so it keeps nobody else from waiting.
`Prefer`: RFC 7240.
"""

import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from flask import request

from domain.errors import Busy, Unavailable
from domain.rules.jobs import Job, JobState, Queue, Recorded
from domain.store import Database
from domain.store import jobs as job_rows
from web.http import problems
from web.http.api import BASE, Answer
from web.http.models import Accepted
from web.http.surroundings import surroundings

WAITING_MAX: Final = 16
"""How many threads of this process may wait for jobs: half of them."""

PREFERRED_MAX_S: Final = 10
_FIRST_PAUSE_S: Final = 0.004
_LONGEST_PAUSE_S: Final = 0.1
_AGE_KNOWN_S: Final = 1.0

_WAIT: Final = re.compile(r"^wait=([0-9]{1,6})$", re.IGNORECASE)
_ASYNC: Final = re.compile(r"^respond-async$", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Preference:
    """How long the client wants to wait, and how that is echoed in `Preference-Applied`."""

    wait_s: float
    applied: str | None


def preference(header: str, *, default_s: float) -> Preference:
    """Read a `Prefer` header; what we do not know in it is ignored, as RFC 7240 asks."""
    for part in (part.strip() for part in re.split(r"[,;]", header)):
        if _ASYNC.match(part):
            return Preference(wait_s=0, applied="respond-async")
        if told := _WAIT.match(part):
            seconds = min(int(told[1]), PREFERRED_MAX_S)
            return Preference(wait_s=seconds, applied=f"wait={seconds}")
    return Preference(wait_s=default_s, applied=None)


@dataclass(frozen=True, kw_only=True)
class _Age:
    """How old a queue's oldest due job is; good until a moment of the monotonic clock."""

    age_s: float
    until: float


class WaitingRoom:
    """Where requests wait for their jobs."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._places = threading.BoundedSemaphore(WAITING_MAX)
        self._ages: dict[Queue, _Age] = {}

    def wait(self, job: Job, *, most_s: float) -> Job:
        """Wait for a job to end, and return it as it then is: ended, or still pending."""
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
                with self._database.single() as store:
                    job = job_rows.by_id(store, job.id) or job
            except (Busy, Unavailable):
                return job  # it is recorded; the client can ask for it
            if job.state is not JobState.PENDING:
                break
        return job

    def _queue_age_s(self, queue: Queue) -> float:
        """Tell how long the oldest due job of this queue has been waiting, as of at most a second ago."""
        known = self._ages.get(queue)
        if known is None or time.monotonic() > known.until:
            try:
                with self._database.single() as store:
                    age = job_rows.oldest_pending_age(store, queue)
            except (Busy, Unavailable):
                age = None
            known = _Age(age_s=age.total_seconds() if age else 0.0, until=time.monotonic() + _AGE_KNOWN_S)
            self._ages[queue] = known
        return known.age_s


def answer_of(
    recorded: Recorded,
    *,
    model: Callable[[Mapping[str, Any]], Any],
    purchase_id: UUID | None = None,
) -> Answer:
    """Ring for a recorded job and answer what came of it within the wait. Call it after the commit.

    Args:
        model: Makes the answer of a done job out of its result.
        purchase_id: Of the purchase this is about, for clients that go on before the job is done.
    """
    around = surroundings()
    preferred = preference(request.headers.get("Prefer", ""), default_s=around.settings.job_wait_s)
    job = recorded.job
    was_done = recorded.replayed and job.state is JobState.DONE
    if job.state is JobState.PENDING:
        around.bell.ring(job)
        job = around.waiting_room.wait(job, most_s=preferred.wait_s)
    headers = {"Preference-Applied": preferred.applied} if preferred.applied else {}
    if was_done:
        headers["Idempotency-Replayed"] = "true"
    match job.state:
        case JobState.DONE:
            return Answer(body=model(job.result or {}), headers=headers)
        case JobState.REJECTED | JobState.FAILED | JobState.DISCARDED:
            told = problems.of_job(job.problem or _DISCARDED, job_id=job.id)
            retry = {"Retry-After": "1"} if told.status == 503 else {}  # noqa: PLR2004
            return Answer(body=told, status=told.status, headers=headers | retry, mimetype=problems.PROBLEM_JSON)
        case JobState.PENDING:
            url = job_url(job.id)
            accepted = Accepted(job_id=job.id, status="pending", status_url=url, purchase_id=purchase_id)
            return Answer(body=accepted, status=202, headers=headers | {"Location": url, "Retry-After": "1"})


_DISCARDED: Final = {"code": "job_discarded", "title": "Job discarded", "detail": "An operator discarded this job"}


def job_url(job_id: UUID) -> str:
    """Tell where a job can be asked for."""
    return f"{BASE}/jobs/{job_id}"
