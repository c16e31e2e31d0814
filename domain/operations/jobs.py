"""Jobs: record, start, end. Each act here is one transaction, or part of the caller's."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from domain.errors import JobStateRefused, KeyReused, NotFound, Refusal
from domain.rules.jobs import ATTEMPTS_MAX, STARTS_MAX, Job, JobState, NewJob, Recorded, backoff
from domain.store import Store
from domain.store import jobs as rows
from domain.units import UserId

KEEP_DONE: Final = timedelta(days=30)
KEEP_OTHERS: Final = timedelta(days=180)
PRUNE_BATCH: Final = 5_000

Write = Callable[[Store], Mapping[str, Any]]
"""The effect of a job: writes through the store it is given, returns the job's result."""


def record(store: Store, new: NewJob) -> Recorded:
    """Record a job, once per key. A job that ended `rejected` or `failed` under this key is set to run again.

    Raises:
        KeyReused: the key's job was recorded for another request.
    """
    fresh = rows.insert_new(store, [new])
    if fresh:
        return Recorded(job=fresh[0], replayed=False)
    job = rows.lock_by_key(store, new.key)
    if job.request_hash != new.request_hash:
        raise KeyReused
    if job.state in {JobState.REJECTED, JobState.FAILED}:
        rows.reopen(store, job.id)
        job = rows.lock_by_key(store, new.key)
    return Recorded(job=job, replayed=True)


def record_all(store: Store, new: Sequence[NewJob]) -> list[Job]:
    """Record the jobs whose keys are new, and return those. Earlier ones are left alone, however they ended."""
    return rows.insert_new(store, new) if new else []


def find_job(store: Store, job_id: UUID, *, owner: UserId | None) -> Job:
    """Read a job.

    Args:
        owner: Who asks; `None` for services and admins, who see every job.

    Raises:
        NotFound: there is no such job, or it is not the owner's.
    """
    job = rows.by_id(store, job_id)
    if job is None or (owner is not None and job.user_id != owner):
        raise NotFound("Job")
    return job


def start(store: Store, job_id: UUID, *, token: UUID) -> Job | None:
    """Start a job for a worker; the count of starts is committed before the work begins.

    Returns:
        The job, or nothing if there is nothing to do. A job that killed its worker too often is parked here.
    """
    job = rows.claim(store, job_id, token=token)
    if job is not None and job.starts > STARTS_MAX:
        detail = f"Started {STARTS_MAX} times without an end: it seems to kill its worker"
        rows.end(store, job.id, JobState.FAILED, problem=failure("job_killed_worker", detail))
        return None
    return job


def finish(store: Store, job: Job, write: Write) -> bool:
    """Write the effect of a started job and its end together.

    Returns:
        False, with nothing written, if the lease was lost: another start has the job now.
    """
    if not _still_ours(store, job):
        return False
    result = write(store)
    rows.end(store, job.id, JobState.DONE, result=result)
    return True


def reject(store: Store, job: Job, refusal: Refusal) -> None:
    """End a started job with the refusal that its act met. That is an answer, not a failure."""
    if _still_ours(store, job):
        rows.end(store, job.id, JobState.REJECTED, problem=problem_of(refusal))


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A try that ended in an error.

    Attributes:
        final: Trying again cannot help: the job goes to a person at once.
    """

    worker: str
    error_class: str
    message: str
    traceback: str
    final: bool


def fail(store: Store, job: Job, failure_met: Failure) -> None:
    """Write down a failed try; the job rests and is tried again, or is `failed` when its tries are used up."""
    if not _still_ours(store, job):
        return
    rows.add_attempt(
        store,
        job.id,
        worker=failure_met.worker,
        error_class=failure_met.error_class,
        message=failure_met.message,
        traceback=failure_met.traceback,
    )
    made = job.attempts + 1
    # Not for secrets: jitter only spreads retries.
    rows.rest(store, job.id, pause=backoff(made, jitter=random.random()), attempts_made=made)  # noqa: S311
    if failure_met.final or made >= ATTEMPTS_MAX:
        detail = f"{failure_met.error_class}: {failure_met.message}" if failure_met.final else f"Failed {made} times"
        rows.end(store, job.id, JobState.FAILED, problem=failure("job_failed", detail))


def wait(store: Store, job: Job, *, pause: timedelta) -> None:
    """Let a started job rest and go on later; that is no failed try."""
    if _still_ours(store, job):
        rows.rest(store, job.id, pause=pause, attempts_made=job.attempts)


def retry(store: Store, job_id: UUID) -> Job:
    """Set a rejected or failed job to pending with fresh budgets.

    Raises:
        NotFound: there is no such job.
        JobStateRefused: it is done or discarded, which is for ever.
    """
    job = find_job(store, job_id, owner=None)
    job = rows.lock_by_key(store, job.key)
    match job.state:
        case JobState.REJECTED | JobState.FAILED:
            rows.reopen(store, job.id)
            return rows.lock_by_key(store, job.key)
        case JobState.PENDING:
            return job
        case JobState.DONE | JobState.DISCARDED:
            raise JobStateRefused(f"The job is {job.state.value}; it cannot run again")


def prune(store: Store) -> int:
    """Delete a batch of jobs whose time is over: done ones after 30 days, the others after 180; returns how many."""
    others = [JobState.REJECTED, JobState.FAILED, JobState.DISCARDED]
    return rows.prune(store, [JobState.DONE], older_than=KEEP_DONE, most=PRUNE_BATCH) + rows.prune(
        store, others, older_than=KEEP_OTHERS, most=PRUNE_BATCH
    )


def problem_of(refusal: Refusal) -> dict[str, Any]:
    """Write a refusal as the members of a problem document that do not depend on HTTP."""
    problem = {"code": refusal.code, "title": refusal.title, "detail": refusal.detail}
    return problem | ({"details": dict(refusal.details)} if refusal.details else {})


def failure(code: str, detail: str) -> dict[str, Any]:
    """Write why a job is `failed`."""
    return {"code": code, "title": "Job failed", "detail": detail}


def _still_ours(store: Store, job: Job) -> bool:
    return job.lease_token is not None and rows.lock_leased(store, job.id, token=job.lease_token)
