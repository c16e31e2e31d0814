"""Searching the jobs for operators: by state, kind, user, error, age and text."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, text

from domain.errors import NotFound
from domain.rules.acts import Act
from domain.rules.job_kinds import kind_named
from domain.rules.job_search import DIFFERENT, Attempt, Cause, FoundJob, JobFilter, ids_in
from domain.rules.jobs import Job, JobState
from domain.rules.ledger import Transaction
from domain.store import acts, ledger
from domain.store import jobs as job_rows
from domain.store.database import Reader

CAUSES_MAX: Final = 100
_STRIPE_PREFIXES: Final = ("pi_", "cs_", "cus_", "evt_", "ch_", "re_", "dp_", "du_")

_ERROR: Final = "coalesce(nullif(j.problem ->> 'code', 'job_failed'), a.error_class, j.problem ->> 'code')"
_MESSAGE: Final = "coalesce(a.message, j.problem ->> 'detail')"
FROM: Final = """
FROM jobs.jobs j
LEFT JOIN LATERAL (SELECT error_class, message FROM jobs.attempts t WHERE t.job_id = j.id
                   ORDER BY failed_at DESC, id DESC LIMIT 1) a ON true
"""
_CONDITIONS: Final = {
    "state": "j.state = :state",
    "kind": "j.kind = ANY (:kind)",
    "user_id": "j.user_id = :user_id",
    "error": f"{_ERROR} = :error",
    "older_than_s": "j.created_at < clock_timestamp() - make_interval(secs => :older_than_s)",
    "text": f"position(lower(:text) IN lower(concat_ws(' ', {_MESSAGE}, j.problem ->> 'detail', j.key, "
    "j.payload::text))) > 0",
}
# Words with digits (ids, amounts, times) differ between the jobs of one cause.
_SHAPE: Final = f"left(regexp_replace({_MESSAGE}, '[[:alnum:]_.-]*[0-9][[:alnum:]_.-]*', '{DIFFERENT}', 'g'), 200)"

# `{where}` is the condition of a filter, as `where` writes it.
_FIND: Final = f"""
SELECT j.*, {_ERROR} AS error, {_MESSAGE} AS message {FROM} {{where}} ORDER BY j.id DESC LIMIT :limit
"""
_BY_ID: Final = text(f"SELECT j.*, {_ERROR} AS error, {_MESSAGE} AS message {FROM} WHERE j.id = :id")
_COUNT: Final = f"SELECT count(*) {FROM} {{where}}"
_CAUSES: Final = f"""
WITH matching AS (
    SELECT j.id, j.kind, j.state, coalesce({_ERROR}, '') AS error, coalesce({_SHAPE}, '') AS message,
           coalesce(j.finished_at, j.created_at) AS at
    {FROM} {{where}}),
hourly AS (
    SELECT kind, state, error, message, count(*) AS jobs, min(at) AS first_at, max(at) AS last_at,
           to_char(at, 'YYYY-MM-DD"T"HH24:00:00.000"Z"') AS hour,
           (array_agg(id ORDER BY at DESC, id))[1] AS sample
    FROM matching GROUP BY kind, state, error, message, hour)
SELECT kind, state, error, message, sum(jobs)::bigint AS jobs, min(first_at) AS first_at,
       max(last_at) AS last_at, jsonb_object_agg(hour, jobs) AS hours,
       (array_agg(sample ORDER BY last_at DESC))[1] AS sample
FROM hourly GROUP BY kind, state, error, message ORDER BY sum(jobs) DESC, max(last_at) DESC LIMIT :limit
"""
_STATES: Final = text("SELECT kind, state, count(*) FROM jobs.jobs GROUP BY kind, state ORDER BY kind, state")
_ATTEMPTS: Final = text("SELECT * FROM jobs.attempts WHERE job_id = :id ORDER BY failed_at, id LIMIT 200")
_LINKED_TRANSACTIONS: Final = text("""
WITH who AS (
    SELECT CAST(:user_id AS text) AS user_id WHERE CAST(:user_id AS text) IS NOT NULL
    UNION SELECT user_id FROM credits.purchases WHERE id::text = ANY (:ids)
    UNION SELECT user_id FROM credits.transactions WHERE id = ANY (:uuids))
SELECT t.* FROM credits.transactions t JOIN who USING (user_id)
WHERE t.id = ANY (:uuids) OR split_part(t.counterparty, ':', 2) = ANY (:ids)
ORDER BY t.user_id, t.seq LIMIT 50
""")


def find(reader: Reader, filters: JobFilter, *, limit: int, before: UUID | None = None) -> list[FoundJob]:
    """Read jobs that match, newest first; `before` continues behind one already seen."""
    further = ["j.id < :before"] if before else []
    query = text(_FIND.format(where=where(filters, further)))
    values = {**conditions_of(filters), "before": before, "limit": limit}
    return [_found(row) for row in reader.run(query, values)]


def by_id(reader: Reader, job_id: UUID) -> FoundJob | None:
    """Read a job with its last error."""
    row = reader.run(_BY_ID, {"id": job_id}).first()
    return None if row is None else _found(row)


@dataclass(frozen=True, kw_only=True)
class JobSheet:
    """Everything that is stored about one job.

    Attributes:
        attempts: The failed ones, oldest first.
        transactions: Ledger rows that carry one of its ids.
        stripe_ids: Objects at Stripe that it names.
        acts: What operators did with it, newest first.
    """

    found: FoundJob
    attempts: Sequence[Attempt]
    transactions: Sequence[Transaction]
    stripe_ids: Sequence[str]
    acts: Sequence[Act]


def sheet(reader: Reader, job_id: UUID) -> JobSheet:
    """Read everything about a job.

    Raises:
        NotFound: there is no such job.
    """
    found = by_id(reader, job_id)
    if found is None:
        raise NotFound("Job")
    ids = list(dict.fromkeys([*ids_in(found.job.payload), *ids_in(found.job.result)]))
    return JobSheet(
        found=found,
        attempts=_attempts(reader, job_id),
        transactions=_linked_transactions(reader, found.job, ids),
        stripe_ids=[named_id for named_id in ids if named_id.startswith(_STRIPE_PREFIXES)],
        acts=acts.of_job(reader, job_id),
    )


def count(reader: Reader, filters: JobFilter) -> int:
    """Count the jobs that match."""
    query = text(_COUNT.format(where=where(filters)))
    matching: int = reader.run(query, conditions_of(filters)).scalar_one()
    return matching


def causes(reader: Reader, filters: JobFilter, *, limit: int = CAUSES_MAX) -> list[Cause]:
    """Group the jobs that match by kind, state, error and message, largest first, each with its hours and a sample."""
    query = text(_CAUSES.format(where=where(filters)))
    return [_cause(row) for row in reader.run(query, {**conditions_of(filters), "limit": limit})]


def states(reader: Reader) -> dict[tuple[str, str], int]:
    """Count the jobs by kind and state."""
    return {(kind, state): job_count for kind, state, job_count in reader.run(_STATES)}


def _attempts(reader: Reader, job_id: UUID) -> list[Attempt]:
    """Read the failed attempts of a job, oldest first."""
    return [
        Attempt(
            worker=row.worker,
            error_class=row.error_class,
            message=row.message,
            traceback=row.traceback,
            failed_at=row.failed_at,
        )
        for row in reader.run(_ATTEMPTS, {"id": job_id})
    ]


def _linked_transactions(reader: Reader, job: Job, ids: Sequence[str]) -> list[Transaction]:
    """Find the ledger rows that carry one of these ids: of the purchase's user, or of the job's own user."""
    values = {"user_id": job.user_id, "ids": list(ids), "uuids": list(_uuids(ids))}
    return [ledger.transaction_of(row) for row in reader.run(_LINKED_TRANSACTIONS, values)]


def _uuids(ids: Iterable[str]) -> Iterable[UUID]:
    for named_id in ids:
        try:
            yield UUID(named_id)
        except ValueError:
            continue


def conditions_of(filters: JobFilter) -> dict[str, Any]:
    """List the values of a filter's conditions; a kind stands for every name under which it was ever stored."""
    values = filters.conditions()
    if "kind" in values:
        values["kind"] = list(kind_named(values["kind"]).names)
    return values


def where(filters: JobFilter, further: Sequence[str] = ()) -> str:
    """Write the condition of a filter, for statements that begin with `FROM`."""
    conditions = [*(_CONDITIONS[name] for name in filters.conditions()), *further]
    return f"WHERE {' AND '.join(conditions)}" if conditions else ""


def _found(row: Row[Any]) -> FoundJob:
    return FoundJob(job=job_rows.job_of(row), error=row.error, message=row.message)


def _cause(row: Row[Any]) -> Cause:
    return Cause(
        kind=kind_named(row.kind),
        state=JobState(row.state),
        error=row.error,
        message=row.message,
        count=row.jobs,
        first_at=row.first_at,
        last_at=row.last_at,
        hours=dict(sorted(row.hours.items())),
        sample=row.sample,
    )
