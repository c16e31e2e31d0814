"""The jobs: the queue of record.

Leases and due times are told by the database's clock alone, so that a machine whose clock is wrong cannot run a job
early or take it from its worker.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert

from domain.ids import new_id
from domain.rules.jobs import LEASE, Job, JobKind, JobState, NewJob, Queue
from domain.store.database import Store
from domain.store.tables import attempts, jobs

_now = func.clock_timestamp()
_free = or_(jobs.c.leased_until.is_(None), jobs.c.leased_until <= _now)
_unbound: Final = {"lease_token": None, "leased_until": None}


def insert_new(store: Store, new: Sequence[NewJob]) -> list[Job]:
    """Write the jobs whose keys are new; those already recorded are left as they are and not returned."""
    rows = [
        {
            "id": new_id(),
            "kind": job.kind.value,
            "queue": job.kind.queue.value,
            "key": job.key,
            "user_id": job.user_id,
            "payload": dict(job.payload),
            "request_hash": job.request_hash,
            "request_id": job.request_id,
            "next_at": func.now(),
            "enqueued_at": func.now(),
            "created_at": func.now(),
        }
        for job in new
    ]
    statement = insert(jobs).values(rows).on_conflict_do_nothing(constraint="jobs_key_key").returning(jobs)
    return [job_of(row) for row in store.run(statement)]


def by_id(store: Store, job_id: UUID) -> Job | None:
    """Read a job."""
    row = store.first(select(jobs).where(jobs.c.id == job_id))
    return None if row is None else job_of(row)


def lock_by_key(store: Store, key: str) -> Job:
    """Lock and read the job with this key, which must exist."""
    return job_of(store.run(select(jobs).where(jobs.c.key == key).with_for_update()).one())


def claim(store: Store, job_id: UUID, *, token: UUID) -> Job | None:
    """Start a job: count the start and lease the job to `token`.

    Returns:
        The job, or nothing if it is gone, ended, not due, or in another worker's hands.
    """
    due = select(jobs.c.id).where(jobs.c.id == job_id, jobs.c.state == "pending", jobs.c.next_at <= _now, _free)
    statement = (
        update(jobs)
        .where(jobs.c.id == due.with_for_update(skip_locked=True).scalar_subquery())
        .values(starts=jobs.c.starts + 1, lease_token=token, leased_until=_now + LEASE)
        .returning(jobs)
    )
    row = store.first(statement)
    return None if row is None else job_of(row)


def lock_leased(store: Store, job_id: UUID, *, token: UUID) -> bool:
    """Lock a started job to write its end. False if the lease went to another start, or the job has ended."""
    leased = select(jobs.c.id).where(jobs.c.id == job_id, jobs.c.state == "pending", jobs.c.lease_token == token)
    return store.first(leased.with_for_update()) is not None


def end(
    store: Store,
    job_id: UUID,
    state: JobState,
    *,
    result: Mapping[str, Any] | None = None,
    problem: Mapping[str, Any] | None = None,
) -> None:
    """Write the end of a job that is locked."""
    values = {"state": state.value, "finished_at": _now, "result": result, "problem": problem, **_unbound}
    store.run(update(jobs).where(jobs.c.id == job_id).values(values))


def rest(store: Store, job_id: UUID, *, pause: timedelta, attempts_made: int) -> None:
    """Send a locked job back to wait: it is due again after `pause`."""
    values = {"next_at": _now + pause, "attempts": attempts_made, "starts": 0, **_unbound}
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


def oldest_pending_age(store: Store) -> timedelta | None:
    """Tell how long the oldest pending job has been waiting; nothing if none is."""
    oldest = select(_now - func.min(jobs.c.created_at)).where(jobs.c.state == "pending", jobs.c.next_at <= _now)
    age: timedelta | None = store.run(oldest).scalar()
    return age


def prune(store: Store, states: Sequence[JobState], *, older_than: timedelta, most: int) -> int:
    """Delete at most `most` jobs that ended longer ago than `older_than`; returns how many."""
    old = select(jobs.c.id).where(jobs.c.state.in_([s.value for s in states]), jobs.c.finished_at < _now - older_than)
    found = old.limit(most).with_for_update(skip_locked=True)
    deleted: int = store.run(jobs.delete().where(jobs.c.id.in_(found))).rowcount
    return deleted


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
