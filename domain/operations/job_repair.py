"""What operators do with jobs: retry, discard, retry many. Each act is recorded in the same transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.errors import JobStateRefused, NotFound
from domain.ids import new_id
from domain.operations.jobs import record
from domain.rules.acts import Act, ActKind
from domain.rules.job_kinds import RETRY_ALL
from domain.rules.job_payloads import JobsRetried, RetryJobs
from domain.rules.job_repair import Progress, check_discardable, retryable
from domain.rules.job_search import JobFilter
from domain.rules.jobs import Job, JobState, NewJob
from domain.store import Reader, Store, acts, job_search, jobs
from domain.store import job_repair as repair_rows


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of a run: the jobs it set to pending, the run's progress, and whether the run is over."""

    retried: Sequence[Job]
    progress: Progress
    is_over: bool


def retry_job(store: Store, job_id: UUID, *, who: str, why: str, now: datetime) -> Job:
    """Set a failed or rejected job to pending with fresh budgets; a pending job that rests becomes due now.

    Raises:
        NotFound: there is no such job.
        JobStateRefused: it is done or discarded, which is final.
    """
    job = jobs.lock(store, job_id)
    if job is None:
        raise NotFound("Job")
    match job.state:
        case JobState.REJECTED | JobState.FAILED:
            repair_rows.reopen(store, job.id)
        case JobState.PENDING:
            repair_rows.hurry(store, job.id)
        case JobState.DONE | JobState.DISCARDED:
            raise JobStateRefused(f"The job is {job.state.value}; it cannot run again")
    acts.add(store, [Act(act=ActKind.RETRY, who=who, why=why, at=now, job_id=job.id)])
    return jobs.lock_by_key(store, job.key)


def discard_job(store: Store, job_id: UUID, *, who: str, why: str, now: datetime) -> Job:
    """Discard a failed or rejected job. It can never run again.

    Raises:
        NotFound: there is no such job.
        JobStateRefused: it is pending, done, or discarded already.
    """
    job = jobs.lock(store, job_id)
    if job is None:
        raise NotFound("Job")
    check_discardable(job)
    repair_rows.discard(store, job)
    facts = {"state": job.state.value, "problem": job.problem}
    acts.add(store, [Act(act=ActKind.DISCARD, who=who, why=why, at=now, job_id=job.id, facts=facts)])
    return jobs.lock_by_key(store, job.key)


def retry_all(store: Store, filters: JobFilter, *, who: str, why: str, now: datetime) -> Job:
    """Record a run that retries every matching job that has ended by now.

    Raises:
        JobStateRefused: the filter names a state whose jobs cannot run again.
    """
    narrowed = retryable(filters)
    new = NewJob(
        kind=RETRY_ALL,
        key=f"{RETRY_ALL.name}:{new_id()}",
        payload=RetryJobs(filter=narrowed, who=who, why=why),
    )
    job = record(store, new).job
    facts = {"filter": narrowed.conditions()}
    acts.add(store, [Act(act=ActKind.RETRY_ALL, who=who, why=why, at=now, job_id=job.id, facts=facts)])
    return job


def retry_some(store: Store, run: Job, *, now: datetime) -> Step:
    """Retry some more of a run's jobs, unless too many of those before have failed again.

    Only jobs that ended before the run was recorded are taken, and each leaves that set when it is retried: so a run
    that was killed goes on where it was, and none of its jobs is retried twice.
    """
    progress = acts.progress(store, run.id)
    if progress.must_stop:
        return Step(retried=[], progress=progress, is_over=True)
    payload = RETRY_ALL.read_payload(run)
    # Where there is no room nothing is looked for, so the run is not over.
    room = progress.room
    to_retry = repair_rows.lock_some(store, payload.filter, ended_before=run.created_at, limit=room) if room else []
    for job in to_retry:
        repair_rows.reopen(store, job.id)
    retries = [
        Act(act=ActKind.RETRY, who=payload.who, why=payload.why, at=now, job_id=job.id, run_id=run.id)
        for job in to_retry
    ]
    acts.add(store, retries)
    is_over = bool(room) and not to_retry and progress.tried == progress.retried
    return Step(retried=to_retry, progress=progress, is_over=is_over)


def run_result(reader: Reader, *, run_id: UUID, filters: JobFilter) -> JobsRetried:
    """Summarize a run that is over."""
    progress = acts.progress(reader, run_id)
    return JobsRetried(
        retried=progress.retried,
        failing=progress.failing,
        stopped=progress.must_stop,
        still_matching=job_search.count(reader, filters),
    )
