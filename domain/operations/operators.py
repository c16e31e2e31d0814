"""What operators do with jobs: look, retry, discard, retry many. Every act is written down in the same transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from domain.errors import NotFound
from domain.ids import new_id
from domain.operations.jobs import record, retry
from domain.rules.jobs import Job, JobKind, JobState, NewJob
from domain.rules.ledger import Transaction
from domain.rules.operators import (
    Act,
    ActKind,
    Cause,
    FoundJob,
    JobFilter,
    Progress,
    Try,
    check_discardable,
    ids_in,
    retryable,
)
from domain.store import Store, acts
from domain.store import job_search as rows
from domain.store import jobs as job_rows

CAUSES_MAX: Final = 100


@dataclass(frozen=True, kw_only=True)
class JobSheet:
    """Everything there is to know about one job.

    Attributes:
        tries: The failed ones, oldest first.
        transactions: Ledger rows that carry one of its ids.
        stripe_ids: Objects at Stripe that it names.
        acts: What operators did with it, newest first.
    """

    found: FoundJob
    tries: Sequence[Try]
    transactions: Sequence[Transaction]
    stripe_ids: Sequence[str]
    acts: Sequence[Act]


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a run did at once: the jobs it set to pending, how far it is, and whether anything is left for it."""

    retried: Sequence[Job]
    progress: Progress
    is_over: bool


def find_jobs(store: Store, wanted: JobFilter, *, limit: int, before: UUID | None = None) -> list[FoundJob]:
    """Read jobs that match, newest first; `before` continues behind one already seen."""
    return rows.find(store, wanted, limit=limit, before=before)


def causes(store: Store, wanted: JobFilter) -> list[Cause]:
    """Group the jobs that match by what went wrong, largest group first."""
    return rows.causes(store, wanted, limit=CAUSES_MAX)


def count_jobs(store: Store, wanted: JobFilter) -> int:
    """Count the jobs that match."""
    return rows.count(store, wanted)


def count_states(store: Store) -> Mapping[tuple[str, str], int]:
    """Count all jobs by kind and state."""
    return rows.states(store)


def latest_acts(store: Store, *, limit: int) -> list[Act]:
    """Read what operators did last, newest first."""
    return acts.latest(store, limit=limit)


def job_sheet(store: Store, job_id: UUID) -> JobSheet:
    """Read everything about a job.

    Raises:
        NotFound: there is no such job.
    """
    found = rows.one(store, job_id)
    if found is None:
        raise NotFound("Job")
    ids = list(dict.fromkeys([*ids_in(found.job.payload), *ids_in(found.job.result)]))
    return JobSheet(
        found=found,
        tries=rows.tries(store, job_id),
        transactions=rows.linked_transactions(store, found.job, ids),
        stripe_ids=[one for one in ids if one.startswith(("pi_", "cs_", "cus_", "evt_", "ch_", "re_", "dp_", "du_"))],
        acts=acts.of_job(store, job_id),
    )


def retry_job(store: Store, job_id: UUID, *, who: str, why: str, now: datetime) -> Job:
    """Set a failed or rejected job to pending with fresh budgets; one that rests becomes due now.

    Raises:
        NotFound: there is no such job.
        JobStateRefused: it is done or discarded, which is for ever.
    """
    job = retry(store, job_id)
    rows.hurry(store, job.id)
    acts.add(store, [Act(act=ActKind.RETRY, who=who, why=why, at=now, job_id=job.id)])
    return job


def discard_job(store: Store, job_id: UUID, *, who: str, why: str, now: datetime) -> Job:
    """Give a failed or rejected job up for ever.

    Raises:
        NotFound: there is no such job.
        JobStateRefused: it is still at work, done, or discarded already.
    """
    job = rows.lock(store, job_id)
    if job is None:
        raise NotFound("Job")
    check_discardable(job)
    rows.discard(store, job)
    facts = {"state": job.state.value, "problem": job.problem}
    acts.add(store, [Act(act=ActKind.DISCARD, who=who, why=why, at=now, job_id=job.id, facts=facts)])
    return job_rows.lock_by_key(store, job.key)


def retry_all(store: Store, wanted: JobFilter, *, who: str, why: str, now: datetime) -> Job:
    """Record a run that retries every job that matches and has ended by now.

    Raises:
        JobStateRefused: the filter asks for jobs that cannot run again.
    """
    told = retryable(wanted).told()
    payload = {"filter": told, "who": who, "why": why}
    new = NewJob(kind=JobKind.RETRY_ALL, key=f"{JobKind.RETRY_ALL.value}:{new_id()}", payload=payload)
    job = record(store, new).job
    acts.add(store, [Act(act=ActKind.RETRY_ALL, who=who, why=why, at=now, job_id=job.id, facts={"filter": told})])
    return job


def retry_some(store: Store, run: Job, *, now: datetime) -> Step:
    """Retry some more of a run's jobs, unless too many of those before them fail again.

    Only jobs that ended before the run was recorded are taken, and each leaves that set when it is retried: so a run
    that was killed goes on where it was, and none of its jobs is retried twice.
    """
    progress = acts.progress(store, run.id)
    if progress.must_stop:
        return Step(retried=[], progress=progress, is_over=True)
    wanted = JobFilter.of(run.payload["filter"])
    # A wave in the making has to be seen through before the run may call itself done.
    room = progress.room
    jobs = rows.lock_some(store, wanted, ended_before=run.created_at, limit=room) if room else []
    for job in jobs:
        job_rows.reopen(store, job.id)
    who, why = run.payload["who"], run.payload["why"]
    done = [Act(act=ActKind.RETRY, who=who, why=why, at=now, job_id=job.id, run_id=run.id) for job in jobs]
    acts.add(store, done)
    is_over = bool(room) and not jobs and progress.tried == progress.retried
    return Step(retried=jobs, progress=progress, is_over=is_over)


def run_result(store: Store, *, run_id: UUID, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Tell what came of a run."""
    progress = acts.progress(store, run_id)
    left = rows.count(store, JobFilter.of(wanted))
    return {
        "retried": progress.retried,
        "failing": progress.failing,
        "stopped": progress.must_stop,
        "stillMatching": left,
    }


def failed_only(wanted: JobFilter) -> JobFilter:
    """Narrow a filter to failed jobs, unless it names a state: what an operator wants to see first."""
    if wanted.state is not None:
        return wanted
    return JobFilter.of({**wanted.told(), "state": JobState.FAILED.value})
