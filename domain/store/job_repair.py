"""What operators do with jobs: lock those that a filter matches, discard one."""

from datetime import datetime

from sqlalchemy import text

from domain.rules.job_kinds import RETRY_ALL
from domain.rules.job_search import JobFilter
from domain.rules.jobs import Job, JobState
from domain.store.database import Store
from domain.store.job_execution import end
from domain.store.job_search import FROM, conditions_of, where
from domain.store.jobs import job_of


def lock_some(store: Store, filters: JobFilter, *, ended_before: datetime, limit: int) -> list[Job]:
    """Lock some jobs that match and ended before an instant; those that another transaction has locked are left out."""
    further = ["j.finished_at < :ended_before", f"j.kind <> '{RETRY_ALL.name}'"]
    sql = f"SELECT j.* {FROM} {where(filters, further)} ORDER BY j.id LIMIT :limit FOR UPDATE OF j SKIP LOCKED"
    values = {**conditions_of(filters), "ended_before": ended_before, "limit": limit}
    return [job_of(row) for row in store.run(text(sql), values)]


def discard(store: Store, job: Job) -> None:
    """Discard a locked job; its problem is kept."""
    end(store, job.id, JobState.DISCARDED, problem=job.problem)
