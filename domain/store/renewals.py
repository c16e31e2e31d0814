"""Renewals: what is due, how a renewal changes a subscription, and the wave of many that are due at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select, text

from domain.rules.job_kinds import CHARGE_RECURRING
from domain.rules.jobs import Job
from domain.rules.sync import Period, Subscription
from domain.store.database import Reader, Store
from domain.store.jobs import jobs, lock_by_key
from domain.store.sync import subscription_of
from domain.units import Credits, UserId

_LOCK_FREE: Final = """
SELECT user_id, active, billing_interval, amount_charged, anchor_at, next_charge_at, paused_at, is_gifted, gifted_by,
       gifted_at, activation, period, auto_resume
FROM credits.sync_subscriptions WHERE user_id = ANY (%(user_ids)b::text[]) ORDER BY user_id FOR UPDATE SKIP LOCKED
"""
# Looks for the same key as `renewal_key` makes.
DUE_PAGE: Final = """
SELECT s.next_charge_at, s.user_id, s.activation, s.period, EXISTS (
    SELECT FROM jobs.jobs j WHERE j.key = 'renew:' || s.user_id || ':' || s.activation || ':' || s.period)
FROM credits.sync_subscriptions s
WHERE s.active AND NOT s.is_gifted AND s.next_charge_at <= %(now)s
  AND (s.next_charge_at, s.user_id) > (%(due_at)s::timestamptz, %(user_id)s::text)
ORDER BY s.next_charge_at, s.user_id LIMIT %(most)s
"""
_SET_RENEWED: Final = """
UPDATE credits.sync_subscriptions s SET
    active = renewed.active, next_charge_at = renewed.next_charge_at, paused_at = renewed.paused_at,
    period = s.period + 1, looked_ahead = false, updated_at = %(now)s
FROM unnest(%(user_ids)b::text[], %(active)b::boolean[], %(next_at)b::timestamptz[], %(paused_at)b::timestamptz[])
     AS renewed (user_id, active, next_charge_at, paused_at)
WHERE s.user_id = renewed.user_id RETURNING s.user_id
"""
_LOOK_AHEAD: Final = """
WITH near AS (
    SELECT user_id FROM credits.sync_subscriptions
    WHERE active AND NOT is_gifted AND NOT looked_ahead
      AND next_charge_at > %(now)s AND next_charge_at <= %(until)s
    ORDER BY next_charge_at LIMIT %(most)s FOR UPDATE SKIP LOCKED),
looked AS (
    UPDATE credits.sync_subscriptions s SET looked_ahead = true FROM near WHERE s.user_id = near.user_id
    RETURNING s.user_id, s.activation, s.period, s.amount_charged, s.next_charge_at)
SELECT looked.*, coalesce(b.balance, 0) FROM looked LEFT JOIN credits.balances b USING (user_id)
"""
# Callers wait here for each other, so that two at once do not both find no pending job. The number only has to be ours.
_LOCK_CALLERS: Final = text("SELECT pg_advisory_xact_lock(5264392)")
_UNTRIED: Final = text("""
SELECT EXISTS (SELECT FROM jobs.jobs WHERE state = 'pending' AND kind = 'renew' AND attempts = 0)
""")
_TALLY: Final = text("""
SELECT count(*) FILTER (WHERE result ->> 'outcome' = 'charged') AS charged,
       count(*) FILTER (WHERE result ->> 'outcome' = 'paused') AS paused,
       count(*) FILTER (WHERE state = 'failed')
         + (SELECT count(*) FROM jobs.jobs WHERE state = 'pending' AND kind = 'renew' AND attempts > 0) AS errors
FROM jobs.jobs WHERE state IN ('done', 'failed') AND finished_at >= :since AND kind = 'renew'
""")


def lock_free(store: Store, user_ids: Sequence[UserId]) -> dict[UserId, Subscription]:
    """Lock and read these subscriptions; those that another transaction has locked are left out."""
    locked = store.fetch_all(_LOCK_FREE, {"user_ids": list(user_ids)})
    return {UserId(row.user_id): subscription_of(row) for row in locked}


@dataclass(frozen=True, kw_only=True)
class Due:
    """A subscription whose paid period has ended.

    Attributes:
        is_recorded: Whether there is a job for this renewal already, however it ended.
    """

    due_at: datetime
    user_id: UserId
    period: Period
    is_recorded: bool


def renewal_key(user_id: UserId, period: Period) -> str:
    """Name the job that renews a period; it ends in two numbers, so no two users share it."""
    return f"renew:{user_id}:{period.activation}:{period.number}"


def due_page(reader: Reader, *, now: datetime, after: Due | None, most: int) -> list[Due]:
    """Read a page of what is due, oldest first.

    Args:
        after: The last of the page before. Pages go on behind it whether or not its renewal was recorded or has failed,
            so that failing renewals do not hide the others.
    """
    begin = (after.due_at, after.user_id) if after else ("-infinity", "")
    values = {"now": now, "due_at": begin[0], "user_id": begin[1], "most": most}
    return [
        Due(
            due_at=due_at,
            user_id=UserId(user_id),
            period=Period(activation=activation, number=period),
            is_recorded=recorded,
        )
        for due_at, user_id, activation, period, recorded in reader.fetch_all(DUE_PAGE, values)
    ]


@dataclass(frozen=True, kw_only=True)
class Renewed:
    """A locked subscription after its renewal."""

    user_id: UserId
    active: bool
    next_charge_at: datetime | None
    paused_at: datetime | None


def set_renewed(store: Store, renewed: Sequence[Renewed], *, now: datetime) -> None:
    """Move locked subscriptions on to their next periods, in one statement."""
    values = {
        "user_ids": [subscription.user_id for subscription in renewed],
        "active": [subscription.active for subscription in renewed],
        "next_at": [subscription.next_charge_at for subscription in renewed],
        "paused_at": [subscription.paused_at for subscription in renewed],
        "now": now,
    }
    store.fetch_all(_SET_RENEWED, values)


@dataclass(frozen=True, kw_only=True)
class Foreseen:
    """A charge that is near, with the balance of its user."""

    user_id: UserId
    period: Period
    amount: Credits
    charge_at: datetime
    available: Credits


def look_ahead(store: Store, *, now: datetime, within: timedelta, most: int) -> list[Foreseen]:
    """Take a batch of charges that are near and were not checked yet; each is taken once."""
    values = {"now": now, "until": now + within, "most": most}
    return [
        Foreseen(
            user_id=UserId(user_id),
            period=Period(activation=activation, number=period),
            amount=Credits(amount),
            charge_at=charge_at,
            available=Credits(available),
        )
        for user_id, activation, period, amount, charge_at, available in store.fetch_all(_LOOK_AHEAD, values)
    ]


def lock_pending_charge(store: Store) -> Job | None:
    """Lock and read the pending `charge-recurring` job; until the commit nobody else can look for one or end it."""
    store.run(_LOCK_CALLERS)
    pending = select(jobs.c.key).where(
        text("kind IN ('charge-recurring', 'charge_recurring') AND state = 'pending'")  # as the index says it
    )
    key = store.run(pending.order_by(jobs.c.created_at).limit(1)).scalar()
    if key is None:
        return None
    job = lock_by_key(store, key)
    return job if job.finished_at is None and job.kind is CHARGE_RECURRING else None


def has_untried(reader: Reader) -> bool:
    """Tell whether there are renewals that have neither ended nor failed once."""
    return bool(reader.run(_UNTRIED).scalar_one())


@dataclass(frozen=True, kw_only=True)
class Tally:
    """How many renewals ended in which way."""

    charged: int
    paused: int
    errors: int


def tally(reader: Reader, *, since: datetime) -> Tally:
    """Count how renewals ended since a moment; those that failed and wait for another attempt are errors."""
    row = reader.run(_TALLY, {"since": since}).one()
    return Tally(charged=row.charged, paused=row.paused, errors=row.errors)
