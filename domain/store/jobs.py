"""The jobs: the queue of record. How a worker takes and ends one stands in `job_execution`."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Row,
    Table,
    UniqueConstraint,
    Uuid,
    func,
    select,
    text,
)

from domain.errors import NotFound
from domain.ids import new_id
from domain.rules.job_kinds import kind_named
from domain.rules.jobs import AnyNewJob, Job, JobState, Queue
from domain.store.database import Reader, Store
from domain.store.schema import instant, json_column, metadata, text_column
from domain.units import UserId

jobs = Table(
    "jobs",
    metadata,
    Column("id", Uuid, primary_key=True),
    text_column("kind"),
    text_column("queue"),
    text_column("key"),
    text_column("user_id", nullable=True),
    json_column("payload", nullable=False),
    Column("request_hash", LargeBinary),
    text_column("request_id", nullable=True),
    text_column("state", default="pending"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("starts", Integer, nullable=False, server_default="0"),
    instant("next_at"),
    instant("enqueued_at"),
    Column("lease_token", Uuid),
    instant("leased_until", nullable=True),
    json_column("result"),
    json_column("problem"),
    instant("created_at"),
    instant("finished_at", nullable=True),
    UniqueConstraint("key", name="jobs_key_key"),
    Index("jobs_due", "next_at", postgresql_where=text("state = 'pending'")),
    Index("jobs_turns", "next_at", postgresql_where=text("state = 'pending' AND queue = 'default'")),
    Index("jobs_waiting", "created_at", postgresql_where=text("state = 'pending'")),
    Index("jobs_state", "state", text("finished_at DESC"), postgresql_where=text("state <> 'pending'")),
    Index("jobs_user", "user_id", text("created_at DESC"), postgresql_where=text("user_id IS NOT NULL")),
    Index(
        "jobs_charging_runs",
        "created_at",
        postgresql_where=text("kind IN ('charge-recurring', 'charge_recurring') AND state = 'pending'"),
    ),
    schema="jobs",
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column(
        "job_id",
        Uuid,
        ForeignKey("jobs.jobs.id", name="attempts_job_id_fkey", ondelete="CASCADE"),
        nullable=False,
    ),
    text_column("worker"),
    text_column("error_class"),
    text_column("message"),
    text_column("traceback"),
    instant("failed_at"),
    Index("attempts_job", "job_id", "failed_at"),
    schema="jobs",
)

_INSERT: Final = """
INSERT INTO jobs.jobs (
    id, kind, queue, key, user_id, payload, request_hash, request_id, next_at, enqueued_at, created_at)
VALUES (%(id)s, %(kind)s, %(queue)s, %(key)s, %(user_id)s, %(payload)s, %(request_hash)s, %(request_id)s,
        now(), now(), now())
ON CONFLICT ON CONSTRAINT jobs_key_key DO NOTHING RETURNING *
"""
_INSERT_MANY: Final = """
INSERT INTO jobs.jobs (id, kind, queue, key, user_id, payload, next_at, enqueued_at, created_at)
SELECT new_job.*, now(), now(), now()
FROM unnest(%(ids)b::uuid[], %(kinds)b::text[], %(queues)b::text[], %(keys)b::text[], %(user_ids)b::text[],
            %(payloads)b::jsonb[]) AS new_job (id, kind, queue, key, user_id, payload)
ON CONFLICT ON CONSTRAINT jobs_key_key DO NOTHING RETURNING id
"""
_now = func.clock_timestamp()


def insert_new(store: Store, new: AnyNewJob) -> Job | None:
    """Write a job if its key is new; returns `None` if there is a job of this key."""
    values = {
        "id": new_id(),
        "kind": new.kind.name,
        "queue": new.kind.queue.value,
        "key": new.key,
        "user_id": new.user_id,
        "payload": Jsonb(new.stored_payload),
        "request_hash": new.request_hash,
        "request_id": new.request_id,
    }
    row = store.fetch_one(_INSERT, values)
    return None if row is None else job_of(row)


def insert_many(store: Store, new: Sequence[AnyNewJob]) -> list[UUID]:
    """Write many jobs, thousands at most, in one statement; returns the ids of those whose keys are new."""
    values = {
        "ids": [new_id() for _ in new],
        "kinds": [job.kind.name for job in new],
        "queues": [job.kind.queue.value for job in new],
        "keys": [job.key for job in new],
        "user_ids": [job.user_id for job in new],
        "payloads": [Jsonb(job.stored_payload) for job in new],
    }
    return [job_id for (job_id,) in store.fetch_all(_INSERT_MANY, values)]


def by_id(reader: Reader, job_id: UUID) -> Job | None:
    """Read a job."""
    row = reader.fetch_one("SELECT * FROM jobs.jobs WHERE id = %(id)s", {"id": job_id})
    return None if row is None else job_of(row)


def get(reader: Reader, job_id: UUID, *, owner: UserId | None) -> Job:
    """Read a job.

    Args:
        owner: The user who asks; `None` for services and admins, who see every job.

    Raises:
        NotFound: there is no such job, or it is not the owner's.
    """
    job = by_id(reader, job_id)
    if job is None or (owner is not None and job.user_id != owner):
        raise NotFound("Job")
    return job


def lock(store: Store, job_id: UUID) -> Job | None:
    """Lock and read a job."""
    row = store.first(jobs.select().where(jobs.c.id == job_id).with_for_update())
    return None if row is None else job_of(row)


def lock_by_key(store: Store, key: str) -> Job:
    """Lock and read the job with this key, which must exist."""
    return job_of(store.run(select(jobs).where(jobs.c.key == key).with_for_update()).one())


def prune(store: Store, states: Sequence[JobState], *, older_than: timedelta, most: int) -> int:
    """Delete at most `most` jobs that ended longer ago than `older_than`; returns how many."""
    ended = jobs.c.state.in_([state.value for state in states])
    old = select(jobs.c.id).where(ended, jobs.c.finished_at < _now - older_than)
    batch = old.limit(most).with_for_update(skip_locked=True)
    deleted: int = store.run(jobs.delete().where(jobs.c.id.in_(batch))).rowcount
    return deleted


def job_of(row: Row[Any]) -> Job:
    """Read a job off a row that has all its columns."""
    return Job(
        id=row.id,
        kind=kind_named(row.kind),
        queue=Queue(row.queue),
        key=row.key,
        user_id=row.user_id,
        payload=row.payload,
        request_hash=row.request_hash,
        request_id=row.request_id,
        state=JobState(row.state),
        attempts=row.attempts,
        starts=row.starts,
        lease_token=row.lease_token,
        result=row.result,
        problem=row.problem,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )
