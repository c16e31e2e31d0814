"""Jobs: record, start, end. Each act here is one transaction, or part of the caller's."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from domain.errors import Refusal, UserErased
from domain.rules.idempotency import check_repeated
from domain.rules.jobs import (
    STARTS_MAX,
    AnyKind,
    AnyNewJob,
    Job,
    JobState,
    NewJob,
    P,
    Queue,
    R,
    Recorded,
    Result,
    UserPayload,
    backoff,
    stored_result,
)
from domain.rules.texts import clean_text
from domain.store import Store, balances, job_turns
from domain.store import job_execution as execution
from domain.store import jobs as job_rows
from domain.store.job_repair import reopen

KEEP_ANSWERS: Final = timedelta(days=30)
"""How long the answers of jobs that were done or rejected are kept."""

KEEP_OTHERS: Final = timedelta(days=180)
PRUNE_BATCH: Final = 5_000

Write = Callable[[Store], Result]
"""The effect of a job: writes through the store it is given, returns the job's result."""

WriteAll = Callable[[Store, Sequence[Job]], Mapping[UUID, Result]]
"""The effects of many jobs in one transaction: returns the result of each job that it could do, by id.

A job that it leaves out must be done alone.
"""


def record(store: Store, new: NewJob[P, R]) -> Recorded[P, R]:
    """Record a job, once per key. A job that ended `rejected` or `failed` under this key is set to run again.

    Raises:
        KeyReused: the key's job was recorded for another request.
        UserErased: the job would act for a user who was erased.
    """
    if isinstance(new.payload, UserPayload) and balances.is_erased(store, new.payload.user_id):
        raise UserErased
    fresh = job_rows.insert_new(store, new)
    if fresh is not None:
        return Recorded(job=fresh, kind=new.kind, replayed=False)
    job = job_rows.lock_by_key(store, new.key)
    check_repeated(stored=job.request_hash, repeated=new.request_hash)
    if job.state in {JobState.REJECTED, JobState.FAILED}:
        reopen(store, job.id)
        job = job_rows.lock_by_key(store, new.key)
    return Recorded(job=job, kind=new.kind, replayed=True)


def record_all(store: Store, new: Sequence[AnyNewJob]) -> list[Job]:
    """Record the jobs whose keys are new, and return those. Earlier ones are left as they are, however they ended."""
    fresh = (job_rows.insert_new(store, job) for job in new)
    return [job for job in fresh if job is not None]


def start(store: Store, job_id: UUID, *, token: UUID) -> Job | None:
    """Start a job for a worker; the count of starts is committed before the work begins.

    Returns:
        The job, or `None` if there is nothing to do. A job that killed its worker too often ends `failed` here.
    """
    job = execution.claim(store, job_id, token=token)
    return None if job is None else _unless_it_kills(store, job)


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What a worker does for a message.

    Attributes:
        job: The job that was started; `None` if there is nothing to do.
        is_passed_over: The job that the message names is still due, because another one came first: ring for it again.
    """

    job: Job | None
    is_passed_over: bool


def start_next(store: Store, job_id: UUID, *, token: UUID) -> Turn:
    """Start the job whose turn it is, if the named one is due; see `domain.store.job_turns`."""
    job = job_turns.claim_next(store, job_id, token=token)
    if job is None:
        return Turn(job=None, is_passed_over=False)
    return Turn(job=_unless_it_kills(store, job), is_passed_over=job.id != job_id)


def _unless_it_kills(store: Store, job: Job) -> Job | None:
    """End a job that was started too often `failed`, instead of doing it."""
    if job.starts <= STARTS_MAX:
        return job
    detail = f"Started {STARTS_MAX} times without an end: it seems to kill its worker"
    execution.end(store, job.id, JobState.FAILED, problem=failure("job_killed_worker", detail))
    return None


def finish(store: Store, job: Job, write: Write) -> bool:
    """Write the effect of a started job and its end together.

    Returns:
        False, with nothing written, if the lease was lost: another start has the job now.
    """
    if not _still_ours(store, job):
        return False
    result = write(store)
    execution.end(store, job.id, JobState.DONE, result=stored_result(result))
    return True


def start_together(store: Store, job_ids: Sequence[UUID], *, kinds: Sequence[AnyKind], token: UUID) -> list[Job]:
    """Start the jobs of these kinds that may be done together: those that were never started before.

    A job that failed once may have caused the failure itself: from then on it is done alone, so that it cannot make
    others fail.
    """
    return execution.claim_fresh(store, job_ids, kinds=kinds, token=token)


def finish_together(store: Store, jobs: Sequence[Job], write: WriteAll, *, token: UUID) -> set[UUID]:
    """Write the effects of jobs that were started together, and their ends, in one transaction.

    Returns:
        The ids of the jobs that must be done alone; none of a job whose lease was lost: another start has it.
    """
    leased = execution.lock_all_leased(store, [job.id for job in jobs], token=token)
    results = write(store, [job for job in jobs if job.id in leased]) if leased else {}
    if results:
        execution.end_all(store, {job_id: stored_result(result) for job_id, result in results.items()})
    return leased - results.keys()


def postpone(store: Store, job: Job, *, pause: timedelta) -> None:
    """Let a started job look again later, because what it waits for has not happened. That is no attempt."""
    if _still_ours(store, job):
        execution.postpone(store, job.id, pause=pause)


def take_silent(store: Store, *, most: int) -> dict[Queue, list[UUID]]:
    """Take due jobs that no worker has started, to ring again; see `domain.store.job_execution.take_silent`."""
    return execution.take_silent(store, most=most)


def reject(store: Store, job: Job, refusal: Refusal) -> None:
    """End a started job with the refusal of its act. That is an answer, not a failure."""
    if _still_ours(store, job):
        execution.end(store, job.id, JobState.REJECTED, problem=problem_of(refusal))


@dataclass(frozen=True, kw_only=True)
class Failure:
    """An attempt that ended in an error.

    Attributes:
        final: Another attempt cannot help: the job waits for a person at once.
    """

    worker: str
    error_class: str
    message: str
    traceback: str
    final: bool


def fail(store: Store, job: Job, failed: Failure) -> None:
    """Write down a failed attempt; the job rests and is attempted again, or ends `failed` after its last attempt."""
    if not _still_ours(store, job):
        return
    execution.add_attempt(
        store,
        job.id,
        worker=failed.worker,
        error_class=failed.error_class,
        message=clean_text(failed.message),
        traceback=clean_text(failed.traceback),
    )
    attempts = job.attempts + 1
    # Not a secret: jitter only spreads retries.
    execution.rest(store, job.id, pause=backoff(attempts, jitter=random.random()), attempts=attempts)  # noqa: S311
    if failed.final or attempts >= job.kind.attempts_max:
        # Users may read this; the error itself is stored with the attempts.
        detail = "It cannot be done as it was asked for" if failed.final else f"It failed {attempts} times"
        execution.end(store, job.id, JobState.FAILED, problem=failure("job_failed", detail))


def prune(store: Store) -> int:
    """Delete a batch of old jobs: done and rejected ones after 30 days, the others after 180; returns how many."""
    answers = [JobState.DONE, JobState.REJECTED]
    others = [JobState.FAILED, JobState.DISCARDED]
    return job_rows.prune(store, answers, older_than=KEEP_ANSWERS, most=PRUNE_BATCH) + job_rows.prune(
        store, others, older_than=KEEP_OTHERS, most=PRUNE_BATCH
    )


def problem_of(refusal: Refusal) -> dict[str, Any]:
    """Write a refusal as a problem document, without the members that depend on HTTP."""
    problem = {"code": refusal.code, "title": refusal.title, "detail": refusal.detail}
    return problem | ({"details": dict(refusal.details)} if refusal.details else {})


def failure(code: str, detail: str) -> dict[str, Any]:
    """Write why a job is `failed`."""
    return {"code": code, "title": "Job failed", "detail": detail}


def _still_ours(store: Store, job: Job) -> bool:
    return job.lease_token is not None and execution.lock_leased(store, job.id, token=job.lease_token)
