"""What the tests of the operators' tools begin with: jobs that ended in many ways."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
from psycopg.types.json import Jsonb
from sqlalchemy import text

from domain.ids import new_id
from domain.operations import jobs
from domain.rules.job_kinds import PRUNE
from domain.rules.jobs import AnyKind, NewJob
from domain.store import Database
from domain.store import jobs as job_rows
from domain.units import UserId


def failed_job(
    database: Database,
    *,
    error: str = "RetryableError",
    message: str = "Stripe: down (status 500)",
    kind: AnyKind = PRUNE,
    user_id: str | None = "anna",
    payload: dict[str, Any] | None = None,
    key: str | None = None,
) -> UUID:
    """Record a job and let its only try fail for good."""
    new = NewJob(
        kind=kind,
        key=key or f"test:{uuid4()}",
        concerns=UserId(user_id) if user_id else None,
        payload=msgspec.convert(payload or {}, kind.payload),
    )
    failure = jobs.Failure(
        worker="here:1", error_class=error, message=message, traceback="Traceback: in line 7", final=True
    )
    with database.begin() as store:
        job = jobs.record(store, new).job
        store.execute(
            "UPDATE jobs.jobs SET payload = %(payload)s WHERE id = %(id)s",
            {"payload": Jsonb(payload or {}), "id": job.id},
        )
    with database.begin() as store:
        started = jobs.start(store, job.id, token=new_id())
    assert started is not None
    with database.begin() as store:
        jobs.fail(store, started, failure)
    return job.id


def ended_jobs(database: Database, count: int, *, state: str = "done", age: timedelta = timedelta(hours=1)) -> None:
    """Write jobs that ended a while ago, at once."""
    sql = """
        INSERT INTO jobs.jobs (id, kind, queue, key, payload, state, next_at, enqueued_at, created_at, finished_at)
        SELECT gen_random_uuid(), 'stripe', 'default', 'old:' || :state || n, '{"event": {"type": "x"}}', :state,
               now() - :age, now() - :age, now() - :age, now() - :age
        FROM generate_series(1, :count) n"""
    with database.begin() as store:
        store.run(text(sql), {"count": count, "state": state, "age": age})


def state_of(database: Database, job_id: UUID) -> str:
    """Read the state of a job."""
    with database.single() as store:
        return job_rows.get(store, job_id, owner=None).state.value
