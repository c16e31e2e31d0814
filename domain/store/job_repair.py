"""Jobs that have ended or rest: set them to run again, discard them, lock those that a filter matches."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, text, update

from domain.rules.job_kinds import RETRY_ALL
from domain.rules.job_search import JobFilter
from domain.rules.jobs import Job, JobState
from domain.store.database import Store
from domain.store.job_execution import end
from domain.store.job_search import FROM, conditions_of, where
from domain.store.jobs import job_of, jobs


def lock_some(store: Store, filters: JobFilter, *, ended_before: datetime, limit: int) -> list[Job]:
    """Lock some jobs that match and ended before an instant; those that another transaction has locked are left out."""
    further = ["j.finished_at < :ended_before", f"j.kind <> '{RETRY_ALL.name}'"]
    sql = f"SELECT j.* {FROM} {where(filters, further)} ORDER BY j.id LIMIT :limit FOR UPDATE OF j SKIP LOCKED"
    values = {**conditions_of(filters), "ended_before": ended_before, "limit": limit}
    return [job_of(row) for row in store.run(text(sql), values)]


def discard(store: Store, job: Job) -> None:
    """Discard a locked job; its problem is kept."""
    end(store, job.id, JobState.DISCARDED, problem=job.problem)


def reopen(store: Store, job_id: UUID) -> None:
    """Set a rejected or failed job, locked, to pending with fresh budgets."""
    values = {
        "state": JobState.PENDING.value,
        "attempts": 0,
        "starts": 0,
        "next_at": func.clock_timestamp(),
        "enqueued_at": func.clock_timestamp(),
        "problem": None,
        "finished_at": None,
    }
    store.run(update(jobs).where(jobs.c.id == job_id).values(values))


def hurry(store: Store, job_id: UUID) -> None:
    """Make a locked, pending job due now."""
    store.run(update(jobs).where(jobs.c.id == job_id).values(next_at=func.clock_timestamp()))
