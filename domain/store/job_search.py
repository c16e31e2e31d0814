"""Looking through the jobs as operators do: by state, kind, user, error, age and text."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, text, update

from domain.rules.jobs import Job, JobKind, JobState
from domain.rules.ledger import Transaction
from domain.rules.operators import DIFFERENT, Cause, FoundJob, JobFilter, Try
from domain.store import jobs as rows
from domain.store import ledger
from domain.store.database import Store
from domain.store.tables import jobs

_ERROR: Final = "coalesce(nullif(j.problem ->> 'code', 'job_failed'), a.error_class, j.problem ->> 'code')"
_MESSAGE: Final = "coalesce(a.message, j.problem ->> 'detail')"
_FROM: Final = """
FROM jobs.jobs j
LEFT JOIN LATERAL (SELECT error_class, message FROM jobs.attempts t WHERE t.job_id = j.id
                   ORDER BY failed_at DESC, id DESC LIMIT 1) a ON true
"""
_CONDITIONS: Final = {
    "state": "j.state = :state",
    "kind": "j.kind = :kind",
    "user_id": "j.user_id = :user_id",
    "error": f"{_ERROR} = :error",
    "older_than_s": "j.created_at < clock_timestamp() - make_interval(secs => :older_than_s)",
    "text": f"position(lower(:text) IN lower(concat_ws(' ', {_MESSAGE}, j.problem ->> 'detail', j.key, "
    "j.payload::text))) > 0",
}
# Words with digits (ids, amounts, times) differ from job to job of one cause.
_SHAPE: Final = f"left(regexp_replace({_MESSAGE}, '[[:alnum:]_.-]*[0-9][[:alnum:]_.-]*', '{DIFFERENT}', 'g'), 200)"


def find(store: Store, wanted: JobFilter, *, limit: int, before: UUID | None) -> list[FoundJob]:
    """Read jobs that match, newest first; `before` continues behind one already seen."""
    further = ["j.id < :before"] if before else []
    sql = f"SELECT j.*, {_ERROR} AS error, {_MESSAGE} AS message {_FROM} {_where(wanted, further)} ORDER BY j.id DESC"
    found = store.run(text(f"{sql} LIMIT :limit"), {**wanted.told(), "before": before, "limit": limit})
    return [FoundJob(job=rows.job_of(row), error=row.error, message=row.message) for row in found]


def one(store: Store, job_id: UUID) -> FoundJob | None:
    """Read a job with its last error."""
    sql = f"SELECT j.*, {_ERROR} AS error, {_MESSAGE} AS message {_FROM} WHERE j.id = :id"
    row = store.run(text(sql), {"id": job_id}).first()
    return None if row is None else FoundJob(job=rows.job_of(row), error=row.error, message=row.message)


def count(store: Store, wanted: JobFilter) -> int:
    """Count the jobs that match."""
    counted: int = store.run(text(f"SELECT count(*) {_FROM} {_where(wanted)}"), wanted.told()).scalar_one()
    return counted


def causes(store: Store, wanted: JobFilter, *, limit: int) -> list[Cause]:
    """Group the jobs that match by kind, state, error and message, largest first, each with its hours and a sample."""
    sql = f"""
        WITH found AS (
            SELECT j.id, j.kind, j.state, coalesce({_ERROR}, '') AS error, coalesce({_SHAPE}, '') AS message,
                   coalesce(j.finished_at, j.created_at) AS at
            {_FROM} {_where(wanted)}),
        hourly AS (
            SELECT kind, state, error, message, count(*) AS jobs, min(at) AS first_at, max(at) AS last_at,
                   to_char(at, 'YYYY-MM-DD"T"HH24:00:00.000"Z"') AS hour,
                   (array_agg(id ORDER BY at DESC, id))[1] AS sample
            FROM found GROUP BY kind, state, error, message, hour)
        SELECT kind, state, error, message, sum(jobs)::bigint AS jobs, min(first_at) AS first_at,
               max(last_at) AS last_at, jsonb_object_agg(hour, jobs) AS hours,
               (array_agg(sample ORDER BY last_at DESC))[1] AS sample
        FROM hourly GROUP BY kind, state, error, message ORDER BY sum(jobs) DESC, max(last_at) DESC LIMIT :limit"""
    return [_cause(row) for row in store.run(text(sql), {**wanted.told(), "limit": limit})]


def states(store: Store) -> dict[tuple[str, str], int]:
    """Count the jobs by kind and state."""
    found = store.run(text("SELECT kind, state, count(*) FROM jobs.jobs GROUP BY kind, state ORDER BY kind, state"))
    return {(kind, state): jobs_there for kind, state, jobs_there in found}


def lock_some(store: Store, wanted: JobFilter, *, ended_before: datetime, limit: int) -> list[Job]:
    """Lock some jobs that match and ended before an instant; those that somebody else has locked are left out."""
    further = ["j.finished_at < :ended_before", f"j.kind <> '{JobKind.RETRY_ALL.value}'"]
    sql = f"SELECT j.* {_FROM} {_where(wanted, further)} ORDER BY j.id LIMIT :limit FOR UPDATE OF j SKIP LOCKED"
    values = {**wanted.told(), "ended_before": ended_before, "limit": limit}
    return [rows.job_of(row) for row in store.run(text(sql), values)]


def lock(store: Store, job_id: UUID) -> Job | None:
    """Lock and read a job."""
    row = store.first(jobs.select().where(jobs.c.id == job_id).with_for_update())
    return None if row is None else rows.job_of(row)


def discard(store: Store, job: Job) -> None:
    """Give a locked job up; what was wrong with it stays written down."""
    rows.end(store, job.id, JobState.DISCARDED, problem=job.problem)


def hurry(store: Store, job_id: UUID) -> None:
    """Make a locked, pending job due now."""
    store.run(update(jobs).where(jobs.c.id == job_id).values(next_at=text("clock_timestamp()")))


def tries(store: Store, job_id: UUID) -> list[Try]:
    """Read the failed tries of a job, oldest first."""
    sql = "SELECT * FROM jobs.attempts WHERE job_id = :id ORDER BY failed_at, id LIMIT 200"
    return [
        Try(
            worker=row.worker,
            error_class=row.error_class,
            message=row.message,
            traceback=row.traceback,
            failed_at=row.failed_at,
        )
        for row in store.run(text(sql), {"id": job_id})
    ]


def linked_transactions(store: Store, job: Job, ids: Sequence[str]) -> list[Transaction]:
    """Find the ledger rows that carry one of these ids: of the purchase's user, or of the job's own user."""
    sql = """
        WITH who AS (
            SELECT CAST(:user_id AS text) AS user_id WHERE CAST(:user_id AS text) IS NOT NULL
            UNION SELECT user_id FROM credits.purchases WHERE id::text = ANY (:ids)
            UNION SELECT user_id FROM credits.transactions WHERE id = ANY (:uuids))
        SELECT t.* FROM credits.transactions t JOIN who USING (user_id)
        WHERE t.id = ANY (:uuids) OR split_part(t.counterparty, ':', 2) = ANY (:ids)
        ORDER BY t.user_id, t.seq LIMIT 50"""
    values = {"user_id": job.user_id, "ids": list(ids), "uuids": list(_uuids(ids))}
    return [ledger.transaction_of(row) for row in store.run(text(sql), values)]


def _uuids(ids: Iterable[str]) -> Iterable[UUID]:
    for one_id in ids:
        try:
            yield UUID(one_id)
        except ValueError:
            continue


def _where(wanted: JobFilter, further: Sequence[str] = ()) -> str:
    conditions = [*(_CONDITIONS[name] for name in wanted.told()), *further]
    return f"WHERE {' AND '.join(conditions)}" if conditions else ""


def _cause(row: Row[Any]) -> Cause:
    return Cause(
        kind=JobKind(row.kind),
        state=JobState(row.state),
        error=row.error,
        message=row.message,
        count=row.jobs,
        first_at=row.first_at,
        last_at=row.last_at,
        hours=dict(sorted(row.hours.items())),
        sample=row.sample,
    )
