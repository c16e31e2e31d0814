"""How workers take jobs, hold them and end them.

Leases and due times come from the database's clock alone, so that a machine whose clock is wrong cannot run a job
early or take it from its worker.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import ARRAY, Uuid, any_, cast, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert

from domain.ids import new_id
from domain.rules.job_kinds import KINDS
from domain.rules.jobs import LEASE, AnyKind, Job, JobState, Queue
from domain.store.database import Reader, Store
from domain.store.jobs import attempts, job_of, jobs

SILENCE: Final = timedelta(seconds=5)
"""How long after the first ring a job that no worker has started is rung for again."""

LEASES: Final = Jsonb({name: f"{kind.lease.total_seconds():g} s" for kind in KINDS.values() for name in kind.names})
"""How long a started job of each kind is leased. Jobs of kinds that this release does not know are left alone."""

_CLAIM: Final = """
UPDATE jobs.jobs SET starts = starts + 1, lease_token = %(token)s, leased_until = clock_timestamp()
    + (%(leases)s::jsonb ->> kind)::interval
WHERE id = (SELECT id FROM jobs.jobs WHERE id = %(id)s AND state = 'pending' AND next_at <= clock_timestamp()
            AND (leased_until IS NULL OR leased_until <= clock_timestamp()) AND %(leases)s::jsonb ? kind
            FOR UPDATE SKIP LOCKED)
RETURNING *
"""
_END_ALL: Final = """
UPDATE jobs.jobs j SET state = 'done', finished_at = clock_timestamp(), result = ended.result,
    lease_token = NULL, leased_until = NULL
FROM unnest(%(ids)b::uuid[], %(results)b::jsonb[]) AS ended (id, result) WHERE j.id = ended.id RETURNING j.id
"""
_LOCK_LEASED: Final = """
SELECT id FROM jobs.jobs WHERE id = %(id)s AND state = 'pending' AND lease_token = %(token)s FOR UPDATE
"""
_END: Final = """
UPDATE jobs.jobs SET state = %(state)s, finished_at = clock_timestamp(), result = %(result)s, problem = %(problem)s,
    lease_token = NULL, leased_until = NULL WHERE id = %(id)s
"""
_SILENT: Final = text("""
UPDATE jobs.jobs SET enqueued_at = clock_timestamp() WHERE id = ANY (ARRAY (
    SELECT id FROM jobs.jobs
    WHERE state = 'pending' AND next_at <= clock_timestamp()
      AND (leased_until IS NULL OR leased_until <= clock_timestamp())
      AND enqueued_at <= clock_timestamp() - least(greatest(enqueued_at - next_at, interval '5 s'), interval '30 s')
    ORDER BY next_at LIMIT :most FOR UPDATE SKIP LOCKED))
RETURNING id, queue
""")

_now = func.clock_timestamp()
_free = or_(jobs.c.leased_until.is_(None), jobs.c.leased_until <= _now)
_unbound: Final = {"lease_token": None, "leased_until": None}


def claim(store: Store, job_id: UUID, *, token: UUID) -> Job | None:
    """Start a job: count the start and lease the job to `token`.

    Returns:
        The job, or `None` if it is gone, ended, not due, or leased to another worker.
    """
    row = store.fetch_one(_CLAIM, {"id": job_id, "token": token, "leases": LEASES})
    return None if row is None else job_of(row)


def claim_fresh(store: Store, job_ids: Sequence[UUID], *, kinds: Sequence[AnyKind], token: UUID) -> list[Job]:
    """Start those of these jobs that were never started before, all under one token; see `claim`."""
    due = select(jobs.c.id).where(
        *_due(job_ids),
        jobs.c.kind.in_([name for kind in kinds for name in kind.names]),
        jobs.c.attempts == 0,
        jobs.c.starts == 0,
    )
    due_ids = func.array(due.order_by(jobs.c.id).with_for_update(skip_locked=True).scalar_subquery(), type_=ARRAY(Uuid))
    statement = (
        update(jobs)
        .where(jobs.c.id == any_(due_ids))
        .values(starts=1, lease_token=token, leased_until=_now + LEASE)
        .returning(jobs)
    )
    return [job_of(row) for row in store.run(statement)]


def still_due(reader: Reader, job_ids: Sequence[UUID]) -> list[UUID]:
    """Tell which of these jobs are due and not leased."""
    if not job_ids:
        return []
    return list(reader.run(select(jobs.c.id).where(*_due(job_ids)).order_by(jobs.c.id)).scalars())


def _due(job_ids: Sequence[UUID]) -> tuple[Any, ...]:
    among = jobs.c.id == any_(cast(list(job_ids), ARRAY(Uuid)))
    return among, jobs.c.state == "pending", jobs.c.next_at <= _now, _free


def lock_all_leased(store: Store, job_ids: Sequence[UUID], *, token: UUID) -> set[UUID]:
    """Lock started jobs to write their ends; those whose lease is lost are left out."""
    among = jobs.c.id == any_(cast(list(job_ids), ARRAY(Uuid)))
    leased = select(jobs.c.id).where(among, jobs.c.state == "pending", jobs.c.lease_token == token)
    return set(store.run(leased.order_by(jobs.c.id).with_for_update()).scalars())


def end_all(store: Store, results: Mapping[UUID, Mapping[str, Any]]) -> None:
    """Write the ends of jobs that are locked: each is done, with its result."""
    values = {"ids": list(results), "results": [Jsonb(dict(result)) for result in results.values()]}
    store.fetch_all(_END_ALL, values)


def lock_leased(store: Store, job_id: UUID, *, token: UUID) -> bool:
    """Lock a started job to write its end. False if the lease went to another start, or the job has ended."""
    return store.fetch_one(_LOCK_LEASED, {"id": job_id, "token": token}) is not None


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
    store.execute(_END, values)


def rest(store: Store, job_id: UUID, *, pause: timedelta, attempts: int) -> None:
    """Let a locked job wait after a failed attempt: it is due again after `pause`."""
    values = {"next_at": _now + pause, "attempts": attempts, "starts": 0, **_unbound}
    store.run(update(jobs).where(jobs.c.id == job_id).values(values))


def postpone(store: Store, job_id: UUID, *, pause: timedelta) -> None:
    """Let a locked job look again after `pause`, with its attempts as they were; the sweeper rings for it then."""
    values = {"next_at": _now + pause, "enqueued_at": _now + pause - SILENCE, "starts": 0, **_unbound}
    store.run(update(jobs).where(jobs.c.id == job_id).values(values))


def add_attempt(store: Store, job_id: UUID, *, worker: str, error_class: str, message: str, traceback: str) -> None:
    """Write down a failed attempt."""
    facts = {"worker": worker, "error_class": error_class, "message": message, "traceback": traceback}
    store.run(insert(attempts).values(id=new_id(), job_id=job_id, failed_at=_now, **facts))


def take_silent(store: Store, *, most: int) -> dict[Queue, list[UUID]]:
    """Take the due jobs that no worker has started, to ring again: after 5 s, then 10, 20, every 30.

    Two sweepers at once take different jobs. A job rung twice does no harm, it is claimed once; the growing pauses only
    keep a long queue from filling Redis with repeats.
    """
    silent: dict[Queue, list[UUID]] = {}
    for row in store.run(_SILENT, {"most": most}):
        silent.setdefault(Queue(row.queue), []).append(row.id)
    return silent


def oldest_pending_age(reader: Reader, queue: Queue) -> timedelta | None:
    """Tell how long the oldest due job of a queue has been waiting for a worker; `None` if none is.

    A leased job does not wait, and a job that rested after a failed attempt waits since its rest is over.
    """
    due = (jobs.c.state == "pending", jobs.c.next_at <= _now, jobs.c.queue == queue.value, _free)
    age: timedelta | None = reader.run(select(_now - func.min(jobs.c.next_at)).where(*due)).scalar()
    return age


def _jsonb(document: Mapping[str, Any] | None) -> Jsonb | None:
    return None if document is None else Jsonb(dict(document))
