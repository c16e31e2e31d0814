"""Jobs: doing them as a worker does, and jobs that ended in many ways."""

import time
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
from psycopg.types.json import Jsonb
from sqlalchemy import text

from domain.ids import new_id
from domain.operations import jobs
from domain.rules.job_kinds import PRUNE
from domain.rules.jobs import AnyKind, Job, NewJob
from domain.store import Database
from domain.store import jobs as job_rows
from domain.units import UserId
from process.parts import WorkerParts
from tests.support.plain_sql import rows
from tests.support.times import now
from tests.support.worker import worker
from workers.jobs import run_job, run_jobs


def work(database: Database, job_id: UUID) -> Job:
    """Do a job as a worker does, and read it as it then is."""
    run_job(job_id, worker(database))
    with database.single() as store:
        return job_rows.get(store, job_id, owner=None)


def work_on(database: Database, kind: AnyKind) -> Job:
    """Record a job as the clock does, and do it."""
    with database.begin() as store:
        recorded = jobs.record(store, NewJob(kind=kind, key=f"{kind.name}:{now().isoformat()}", payload=kind.payload()))
    return work(database, recorded.job.id)


def do(parts: WorkerParts, job_ids: Iterable[UUID | str]) -> None:
    """Do jobs as a message of their queue would."""
    run_jobs([UUID(str(job_id)) for job_id in job_ids], parts)


def started(database: Database, job: Job) -> Job:
    """Start a job as a worker does."""
    with database.begin() as store:
        running = jobs.start(store, job.id, token=new_id())
    assert running is not None
    return running


def pending(url: str, kind: str) -> list[UUID]:
    """List the jobs of a kind that have not ended."""
    return [
        row[0] for row in rows(url, "SELECT id FROM jobs.jobs WHERE kind = %s AND state = 'pending' ORDER BY id", kind)
    ]


def waiting_job(database: Database, *, within_s: float = 60) -> UUID:
    """Look until there is a job that waits for a worker."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        with database.single() as store:
            job_id: UUID | None = store.run(text("SELECT id FROM jobs.jobs WHERE state = 'pending'")).scalar()
        if job_id is not None:
            return job_id
        time.sleep(0.05)
    raise TimeoutError("no job was recorded")


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
    """Record a job and let its only attempt fail for good."""
    new = NewJob(
        kind=kind,
        key=key or f"test:{uuid4()}",
        concerns=UserId(user_id) if user_id else None,
        payload=msgspec.convert({**(payload or {}), "userId": user_id}, kind.payload),
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
    running = started(database, job)
    with database.begin() as store:
        jobs.fail(store, running, failure)
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
