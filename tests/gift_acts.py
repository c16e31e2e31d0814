"""What the tests of gifts, holds and usage do again and again."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import workers.handlers  # noqa: F401 - registers the handlers
from domain.operations import gifts, holds
from domain.operations.jobs import record
from domain.rules.gifts import Gift, NewGift
from domain.rules.idempotency import ClientKey, fingerprint
from domain.rules.jobs import AnyKind, Job, NewJob
from domain.store import Database, balances
from domain.store import jobs as job_rows
from domain.store.gifts import by_id
from domain.units import Credits, UserId
from tests.workshop import worker
from workers.jobs import run_job

ANNA, BEN, CARL = UserId("anna"), UserId("ben"), UserId("carl")
TARGET = "Friend@X.de"


def now() -> datetime:
    return datetime.now(UTC)


def client_key(value: str, request: str = "one", route: str = "gifts") -> ClientKey:
    return ClientKey(route=route, value=value, request_hash=fingerprint(request=request))


def gift_of(database: Database, gift_id: UUID) -> Gift:
    with database.single() as store:
        found = by_id(store, gift_id)
    assert found is not None
    return found


def work(database: Database, job_id: UUID) -> Job:
    """Do a job as a worker does, and read it as it then is."""
    run_job(job_id, worker(database))
    with database.single() as store:
        return job_rows.get(store, job_id, owner=None)


def work_on(database: Database, kind: AnyKind) -> Job:
    """Do a job of the clock."""
    with database.begin() as store:
        recorded = record(store, NewJob(kind=kind, key=f"{kind.name}:{now().isoformat()}", payload=kind.payload()))
    return work(database, recorded.job.id)


def make_gift(
    database: Database,
    *,
    size: int = 10,
    key: ClientKey | None = None,
    at: datetime | None = None,
    life: timedelta = timedelta(days=1),
    target_email: str | None = None,
    creator_id: UserId = ANNA,
) -> gifts.Created:
    made_at = at or now()
    new = NewGift(
        creator_id=creator_id,
        creator_name="Anna",
        total_credits=Credits(size),
        target_email=target_email,
        message="For you",
        source_app_id=None,
        expires_at=made_at + life,
    )
    with database.begin() as store:
        return gifts.create_gift(store, new, key=key, now=made_at)


def redeem(database: Database, gift: Gift, user_id: UserId = BEN, *, at: datetime | None = None) -> Any:
    with database.begin() as store:
        return gifts.redeem(store, gift_id=gift.id, user_id=user_id, source_app_id=None, now=at or now())


def cancel(database: Database, gift: Gift, *, key: ClientKey | None = None, by: UserId = ANNA) -> gifts.Cancelled:
    with database.begin() as store:
        return gifts.cancel(store, gift_id=gift.id, creator_id=by, key=key, now=now())


def hold(
    database: Database,
    amount: int,
    *,
    key: ClientKey | None = None,
    at: datetime | None = None,
    life: timedelta = timedelta(hours=1),
) -> UUID:
    held_at = at or now()
    with database.begin() as store:
        hold_id, _ = holds.reserve(
            store,
            user_id=ANNA,
            amount=Credits(amount),
            reason="A long answer",
            expires_at=held_at + life,
            key=key,
            now=held_at,
        )
    return hold_id


def commit(database: Database, hold_id: UUID, amount: int | None = None, *, key: ClientKey | None = None) -> Any:
    paid = None if amount is None else Credits(amount)
    with database.begin() as store:
        return holds.commit_hold(store, hold_id=hold_id, amount=paid, description=None, key=key, now=now())


def balance(database: Database, user_id: UserId = ANNA) -> tuple[int, int, int]:
    with database.single() as store:
        found = balances.balance_of(store, user_id)
    return found.balance, found.total_earned, found.total_spent
