"""The jobs: the queue of record.

Leases and due times are told by the database's clock alone, so that a machine whose clock is wrong cannot run a job
early or take it from its worker.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import ARRAY, Row, Uuid, any_, cast, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert

from domain.ids import new_id
from domain.rules.jobs import LEASE, LONG_KINDS, LONG_LEASE, Job, JobKind, JobState, NewJob, Queue
from domain.store.database import Store
from domain.store.tables import attempts, jobs

_now = func.clock_timestamp()
_free = or_(jobs.c.leased_until.is_(None), jobs.c.leased_until <= _now)
SILENCE: Final = timedelta(seconds=5)
"""How long after its bell a job that nobody started is rung for again."""

_unbound: Final = {"lease_token": None, "leased_until": None}


def insert_new(store: Store, new: NewJob) -> Job | None:
    """Write a job if its key is new; nothing if there is a job of this key."""
    values = {
        "id": new_id(),
        "kind": new.kind.value,
        "queue": new.kind.queue.value,
        "key": new.key,
        "user_id": new.user_id,
        "payload": Jsonb(dict(new.payload)),
        "request_hash": new.request_hash,
        "request_id": new.request_id,
    }
    row = store.first_on_driver(_INSERT, values)
    return None if row is None else job_of(row)


_INSERT: Final = """
INSERT INTO jobs.jobs (
    id, kind, queue, key, user_id, payload, request_hash, request_id, next_at, enqueued_at, created_at)
VALUES (%(id)s, %(kind)s, %(queue)s, %(key)s, %(user_id)s, %(payload)s, %(request_hash)s, %(request_id)s,
        now(), now(), now())
ON CONFLICT ON CONSTRAINT jobs_key_key DO NOTHING RETURNING *
"""
_INSERT_MANY: Final = """
INSERT INTO jobs.jobs (id, kind, queue, key, user_id, payload, next_at, enqueued_at, created_at)
SELECT asked.*, now(), now(), now()
FROM unnest(%(ids)b::uuid[], %(kinds)b::text[], %(queues)b::text[], %(keys)b::text[], %(user_ids)b::text[],
            %(payloads)b::jsonb[]) AS asked (id, kind, queue, key, user_id, payload)
ON CONFLICT ON CONSTRAINT jobs_key_key DO NOTHING RETURNING id
"""


def insert_many(store: Store, new: Sequence[NewJob]) -> list[UUID]:
    """Write thousands of jobs of the house itself in one statement; returns the ids of those whose keys are new."""
    asked = {
        "ids": [new_id() for _ in new],
        "kinds": [job.kind.value for job in new],
        "queues": [job.kind.queue.value for job in new],
        "keys": [job.key for job in new],
        "user_ids": [job.user_id for job in new],
        "payloads": [Jsonb(dict(job.payload)) for job in new],
    }
    return [job_id for (job_id,) in store.rows_on_driver(_INSERT_MANY, asked)]


def by_id(store: Store, job_id: UUID) -> Job | None:
    """Read a job."""
    row = store.first_on_driver("SELECT * FROM jobs.jobs WHERE id = %(id)s", {"id": job_id})
    return None if row is None else job_of(row)


def lock_by_key(store: Store, key: str) -> Job:
    """Lock and read the job with this key, which must exist."""
    return job_of(store.run(select(jobs).where(jobs.c.key == key).with_for_update()).one())


def claim(store: Store, job_id: UUID, *, token: UUID) -> Job | None:
    """Start a job: count the start and lease the job to `token`.

    Returns:
        The job, or nothing if it is gone, ended, not due, or in another worker's hands.
    """
    row = store.first_on_driver(_CLAIM, {"id": job_id, "token": token, **_LEASES})
    return None if row is None else job_of(row)


_LEASES: Final = {"lease": LEASE, "long_lease": LONG_LEASE, "long_kinds": [kind.value for kind in LONG_KINDS]}
_CLAIM: Final = """
UPDATE jobs.jobs SET starts = starts + 1, lease_token = %(token)s, leased_until = clock_timestamp()
    + CASE WHEN kind = ANY (%(long_kinds)s) THEN %(long_lease)s ELSE %(lease)s END
WHERE id = (SELECT id FROM jobs.jobs WHERE id = %(id)s AND state = 'pending' AND next_at <= clock_timestamp()
            AND (leased_until IS NULL OR leased_until <= clock_timestamp()) FOR UPDATE SKIP LOCKED)
RETURNING *
"""


def claim_fresh(store: Store, job_ids: Sequence[UUID], *, kinds: Sequence[JobKind], token: UUID) -> list[Job]:
    """Start those of these jobs that were never started before, all under one token; see `claim`."""
    due = select(jobs.c.id).where(*_due(job_ids), jobs.c.kind.in_(kinds), jobs.c.attempts == 0, jobs.c.starts == 0)
    found = func.array(due.order_by(jobs.c.id).with_for_update(skip_locked=True).scalar_subquery(), type_=ARRAY(Uuid))
    statement = (
        update(jobs)
        .where(jobs.c.id == any_(found))
        .values(starts=1, lease_token=token, leased_until=_now + LEASE)
        .returning(jobs)
    )
    return [job_of(row) for row in store.run(statement)]


def still_due(store: Store, job_ids: Sequence[UUID]) -> list[UUID]:
    """Tell which of these jobs are due and in nobody's hands."""
    return list(store.run(select(jobs.c.id).where(*_due(job_ids)).order_by(jobs.c.id)).scalars())


def _due(job_ids: Sequence[UUID]) -> tuple[Any, ...]:
    among = jobs.c.id == any_(cast(list(job_ids), ARRAY(Uuid)))
    return among, jobs.c.state == "pending", jobs.c.next_at <= _now, _free


def lock_all_leased(store: Store, job_ids: Sequence[UUID], *, token: UUID) -> set[UUID]:
    """Lock started jobs to write their ends; those whose lease is lost are left out."""
    among = jobs.c.id == any_(cast(list(job_ids), ARRAY(Uuid)))
    leased = select(jobs.c.id).where(among, jobs.c.state == "pending", jobs.c.lease_token == token)
    return set(store.run(leased.order_by(jobs.c.id).with_for_update()).scalars())


_END_ALL: Final = """
UPDATE jobs.jobs j SET state = 'done', finished_at = clock_timestamp(), result = ended.result,
    lease_token = NULL, leased_until = NULL
FROM unnest(%(ids)b::uuid[], %(results)b::jsonb[]) AS ended (id, result) WHERE j.id = ended.id RETURNING j.id
"""


def end_all(store: Store, results: Mapping[UUID, Mapping[str, Any]]) -> None:
    """Write the ends of jobs that are locked: each is done, with its result."""
    asked = {"ids": list(results), "results": [Jsonb(dict(result)) for result in results.values()]}
    store.rows_on_driver(_END_ALL, asked)


def lock_leased(store: Store, job_id: UUID, *, token: UUID) -> bool:
    """Lock a started job to write its end. False if the lease went to another start, or the job has ended."""
    return store.first_on_driver(_LOCK_LEASED, {"id": job_id, "token": token}) is not None


_LOCK_LEASED: Final = """
SELECT id FROM jobs.jobs WHERE id = %(id)s AND state = 'pending' AND lease_token = %(token)s FOR UPDATE
"""


def end(
    store: Store,
    job_id: UUID,
    state: JobState,
    *,
    result: Mapping[str, Any] | None = None,
    problem: Mapping[str, Any] | None = None,
) -> None:
    """Write the end of a job that is locked."""
    values = {"id": job_id, "state": state.value, "result": _jsonb(result), "problem": _jsonb(problem)}
    store.run_on_driver(_END, values)


_END: Final = """
UPDATE jobs.jobs SET state = %(state)s, finished_at = clock_timestamp(), result = %(result)s, problem = %(problem)s,
    lease_token = NULL, leased_until = NULL WHERE id = %(id)s
"""


def rest(store: Store, job_id: UUID, *, pause: timedelta, attempts_made: int) -> None:
    """Send a locked job back to wait: it is due again after `pause`."""
    values = {"next_at": _now + pause, "attempts": attempts_made, "starts": 0, **_unbound}
    store.run(update(jobs).where(jobs.c.id == job_id).values(values))


def postpone(store: Store, job_id: UUID, *, pause: timedelta) -> None:
    """Let a locked job look again after `pause`, with its attempts as they were; the sweeper rings for it then."""
    values = {"next_at": _now + pause, "enqueued_at": _now + pause - SILENCE, "starts": 0, **_unbound}
    store.run(update(jobs).where(jobs.c.id == job_id).values(values))


def reopen(store: Store, job_id: UUID) -> None:
    """Set a rejected or failed job, locked, to pending with fresh budgets."""
    values = {
        "state": JobState.PENDING.value,
        "attempts": 0,
        "starts": 0,
        "next_at": _now,
        "enqueued_at": _now,
        "problem": None,
        "finished_at": None,
    }
    store.run(update(jobs).where(jobs.c.id == job_id).values(values))


def add_attempt(store: Store, job_id: UUID, *, worker: str, error_class: str, message: str, traceback: str) -> None:
    """Write down a failed try."""
    facts = {"worker": worker, "error_class": error_class, "message": message, "traceback": traceback}
    store.run(insert(attempts).values(id=new_id(), job_id=job_id, failed_at=_now, **facts))


_SILENT: Final = text("""
UPDATE jobs.jobs SET enqueued_at = clock_timestamp() WHERE id = ANY (ARRAY (
    SELECT id FROM jobs.jobs
    WHERE state = 'pending' AND next_at <= clock_timestamp()
      AND (leased_until IS NULL OR leased_until <= clock_timestamp())
      AND enqueued_at <= clock_timestamp() - least(greatest(enqueued_at - next_at, interval '5 s'), interval '30 s')
    ORDER BY next_at LIMIT :most FOR UPDATE SKIP LOCKED))
RETURNING id, queue
""")


def take_silent(store: Store, *, most: int) -> dict[Queue, list[UUID]]:
    """Take the due jobs whose bell nobody has heard, to ring it again: after 5 s, then 10, 20, every 30.

    Two sweepers at once take different jobs. A job rung twice does no harm, it is claimed once; the growing pauses only
    keep a long queue from filling Redis with repeats.
    """
    silent: dict[Queue, list[UUID]] = {}
    for row in store.run(_SILENT, {"most": most}):
        silent.setdefault(Queue(row.queue), []).append(row.id)
    return silent


def oldest_pending_age(store: Store, queue: Queue) -> timedelta | None:
    """Tell how long the oldest due job of a queue has been waiting for a worker; nothing if none is.

    A job that a worker has in hand does not wait, and one that rested after a failed try waits since its rest is over.
    """
    due = (jobs.c.state == "pending", jobs.c.next_at <= _now, jobs.c.queue == queue.value, _free)
    age: timedelta | None = store.run(select(_now - func.min(jobs.c.next_at)).where(*due)).scalar()
    return age


def prune(store: Store, states: Sequence[JobState], *, older_than: timedelta, most: int) -> int:
    """Delete at most `most` jobs that ended longer ago than `older_than`; returns how many."""
    old = select(jobs.c.id).where(jobs.c.state.in_([s.value for s in states]), jobs.c.finished_at < _now - older_than)
    found = old.limit(most).with_for_update(skip_locked=True)
    deleted: int = store.run(jobs.delete().where(jobs.c.id.in_(found))).rowcount
    return deleted


def _jsonb(told: Mapping[str, Any] | None) -> Jsonb | None:
    return None if told is None else Jsonb(dict(told))


def job_of(row: Row[Any]) -> Job:
    """Read a job off a row that has all its columns."""
    return Job(
        id=row.id,
        kind=JobKind(row.kind),
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
