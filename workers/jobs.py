"""Doing a job: start it, let its handler act, write effect and end in one commit.

A crash at any point leaves a pending job: before the last commit nothing has happened in this house, after it
everything has. The lease runs out, the sweeper rings, another worker starts it again.
"""

import os
import socket
import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import Final
from uuid import UUID

import structlog

from domain.errors import Busy, Parked, Refusal, Unavailable
from domain.ids import new_id
from domain.operations.jobs import Failure, Write, fail, finish, reject, start, wait
from domain.rules.jobs import Job, JobKind
from workers import metrics
from workers.errors import FinalError, Later
from workers.resources import Resources

Handler = Callable[[Job, Resources], Write]
"""Does what must be done outside this machine, and returns the write that ends the job.

It is called outside any transaction, and may be called again for the same job at any time: what it does outside carries
an idempotency key made from our row id.
"""

TRACEBACK_MAX: Final = 8_000

log = structlog.get_logger()


def run_jobs(job_ids: Iterable[UUID], handlers: Mapping[JobKind, Handler], with_: Resources) -> None:
    """Do the jobs, each by itself: one's trouble is never another's."""
    for job_id in job_ids:
        run_job(job_id, handlers, with_)


def run_job(job_id: UUID, handlers: Mapping[JobKind, Handler], with_: Resources) -> None:
    """Do one job, if it is there to be done. Whatever goes wrong is written down and tried again later."""
    try:
        with with_.database.begin() as store:
            job = start(store, job_id, token=new_id())
        if job is None:
            return
        known = {"job_id": str(job.id), "kind": job.kind.value, "request_id": job.request_id}
        with structlog.contextvars.bound_contextvars(**known), metrics.timed(job.kind) as outcome:
            outcome.name = _act(job, handlers[job.kind], with_)
    except (Busy, Unavailable) as error:
        # The job is as it was, or leased to us: the sweeper rings for it when the database is back.
        log.warning("job_left", job_id=str(job_id), error=type(error).__name__)


def _act(job: Job, handler: Handler, with_: Resources) -> str:
    """Let the handler act and write the end of the job; returns the outcome's name."""
    try:
        write = handler(job, with_)
        with with_.database.begin() as store:
            ours = finish(store, job, write)
    except Refusal as refusal:
        with with_.database.begin() as store:
            reject(store, job, refusal)
        log.info("job_rejected", code=refusal.code)
        return "rejected"
    except Later as later:
        with with_.database.begin() as store:
            wait(store, job, pause=later.pause)
        if not later.pause:
            with_.bell.ring(job)
        return "later"
    except Exception as error:  # noqa: BLE001 - the outermost frame of a job
        _write_failure(job, error, with_)
        return "failed"
    log.info("job_done" if ours else "job_lease_lost")
    return "done" if ours else "lease_lost"


def _write_failure(job: Job, error: Exception, with_: Resources) -> None:
    final = isinstance(error, FinalError | Parked)
    met = Failure(
        worker=f"{socket.gethostname()}:{os.getpid()}",
        error_class=type(error).__name__,
        message=str(error)[:1_000],
        traceback="".join(traceback.format_exception(error))[-TRACEBACK_MAX:],
        final=final,
    )
    log.warning("job_failed", error=met.error_class, attempt=job.attempts + 1, final=final)
    with with_.database.begin() as store:
        fail(store, job, met)
