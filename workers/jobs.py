"""Doing a job: start it, let its handler act, write its effect and its end in one commit.

A crash at any point leaves a pending job: before the last commit nothing has happened in the database, after it
everything has. Then the lease runs out, the sweeper rings, and another worker starts the job again.
"""

import os
import socket
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from domain.errors import Busy, Parked, Refusal, Unavailable, Unfinished
from domain.ids import new_id
from domain.operations.jobs import (
    Failure,
    WriteAll,
    fail,
    finish,
    finish_together,
    postpone,
    reject,
    start,
    start_next,
    start_together,
)
from domain.rules.jobs import AnyKind, Job, Queue
from domain.store.job_execution import still_due
from gateways.errors import FinalError
from process.parts import WorkerParts
from telemetry import metrics
from workers.registry import HANDLERS, TOGETHER

TRACEBACK_MAX: Final = 8_000

log = structlog.get_logger()


def run_jobs(job_ids: Iterable[UUID], parts: WorkerParts) -> None:
    """Do the jobs: many in one transaction where their kind allows it, each alone otherwise or if that failed."""
    waiting = list(job_ids)
    if len(waiting) > 1:
        waiting = _run_together(waiting, parts)
    for job_id in waiting:
        run_job(job_id, parts)


def take_turns(job_ids: Iterable[UUID], parts: WorkerParts) -> None:
    """Do as many jobs as are named, each time the one whose turn it is; see `domain.store.job_turns`."""
    for job_id in job_ids:
        take_turn(job_id, parts)


def take_turn(job_id: UUID, parts: WorkerParts) -> None:
    """Do the job whose turn it is, if the named one is due.

    A job that another one was preferred to is rung for again before that one is done: each due job keeps a message of
    its own in Redis, and no wake-up is lost.
    """
    try:
        with parts.database.begin() as store:
            turn = start_next(store, job_id, token=new_id())
    except (Busy, Unavailable) as error:
        _leave(job_id, error)
        return
    if turn.is_passed_over:
        parts.bell.ring_ids({Queue.DEFAULT: [job_id]})
    if turn.job is not None:
        _do(turn.job, parts)


def run_job(job_id: UUID, parts: WorkerParts) -> None:
    """Do one job, if it is due. An error is written down, and the job is attempted again later."""
    try:
        with parts.database.begin() as store:
            job = start(store, job_id, token=new_id())
    except (Busy, Unavailable) as error:
        _leave(job_id, error)
        return
    if job is not None:
        _do(job, parts)


def _run_together(job_ids: Sequence[UUID], parts: WorkerParts) -> list[UUID]:
    """Do together what can be, and alone what failed together; returns the jobs that are not started yet."""
    token = new_id()
    try:
        with parts.database.begin() as store:
            started = start_together(store, job_ids, kinds=list(TOGETHER), token=token)
        for kind, handler in TOGETHER.items():
            jobs = [job for job in started if job.kind is kind]
            alone = _finish_together(kind, jobs, token, handler, parts) if jobs else set()
            for job in jobs:
                if job.id in alone:
                    _do(job, parts)
        unstarted = set(job_ids) - {job.id for job in started}
        with parts.database.read() as reader:
            return still_due(reader, list(unstarted))
    except (Busy, Unavailable) as error:
        _leave(job_ids[0], error)
        return []


def _finish_together(
    kind: AnyKind, jobs: Sequence[Job], token: UUID, handler: Callable[[WorkerParts], WriteAll], parts: WorkerParts
) -> set[UUID]:
    """Write the effects and ends of jobs in one transaction; returns those that are left to be done alone."""
    began = time.perf_counter()
    try:
        with parts.database.begin() as store:
            alone = finish_together(store, jobs, handler(parts), token=token)
    except Exception as error:  # noqa: BLE001 - which job failed shows when each is done alone
        log.warning("jobs_failed_together", kind=kind.name, jobs=len(jobs), error=type(error).__name__)
        return {job.id for job in jobs}
    took = time.perf_counter() - began
    metrics.count_together(kind.name, done=len(jobs) - len(alone), took_s=took)
    log.info("jobs_done_together", kind=kind.name, jobs=len(jobs), alone=len(alone), ms=round(took * 1000, 1))
    return alone


def _do(job: Job, parts: WorkerParts) -> None:
    """Do a job that was started."""
    context = {"job_id": str(job.id), "kind": job.kind.name, "request_id": job.request_id}
    try:
        with structlog.contextvars.bound_contextvars(**context), metrics.timed(job.kind.name) as outcome:
            outcome.name = _act(job, parts)
    except (Busy, Unavailable) as error:
        _leave(job.id, error)


def _leave(job_id: UUID, error: Exception) -> None:
    """Leave a job as it is, or leased to us: the sweeper rings for it when the database is back."""
    log.warning("job_left", job_id=str(job_id), error=type(error).__name__)


def _act(job: Job, parts: WorkerParts) -> str:
    """Let the handler act and write the end of the job; returns the outcome's name."""
    try:
        write = HANDLERS[job.kind](job, parts)
        with parts.database.begin() as store:
            is_written = finish(store, job, write)
    except Unfinished as unfinished:
        with parts.database.begin() as store:
            postpone(store, job, pause=timedelta(seconds=unfinished.pause_s))
        if not unfinished.pause_s:
            parts.bell.ring(job)
        return "unfinished"
    except Refusal as refusal:
        with parts.database.begin() as store:
            reject(store, job, refusal)
        log.info("job_rejected", code=refusal.code)
        return "rejected"
    except Exception as error:  # noqa: BLE001 - the outermost frame of a job
        _write_failure(job, error, parts)
        return "failed"
    log.info("job_done" if is_written else "job_lease_lost")
    return "done" if is_written else "lease_lost"


def _write_failure(job: Job, error: Exception, parts: WorkerParts) -> None:
    final = isinstance(error, FinalError | Parked)
    failure = Failure(
        worker=f"{socket.gethostname()}:{os.getpid()}",
        error_class=type(error).__name__,
        message=str(error)[:1_000],
        traceback="".join(traceback.format_exception(error))[-TRACEBACK_MAX:],
        final=final,
    )
    log.warning("job_failed", error=failure.error_class, attempt=job.attempts + 1, final=final)
    with parts.database.begin() as store:
        fail(store, job, failure)
