"""The subscriptions: one row a user, and the statements that lock, find and change them, alone and by the hundred."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, NamedTuple

from sqlalchemy import Row, func, select, update
from sqlalchemy import Sequence as SqlSequence
from sqlalchemy.dialects.postgresql import insert

from domain.ids import new_id
from domain.rules.sync import Interval, Period, Subscription
from domain.store.database import Store
from domain.store.sync_tables import sync_gift_audit, sync_subscriptions
from domain.store.tables import balances
from domain.units import Credits, UserId

_activations = SqlSequence("sync_activations", schema="credits")


@dataclass(frozen=True, kw_only=True)
class Gate:
    """What the sync server wants to know before each push and pull."""

    active: bool
    interval: Interval
    next_charge_at: datetime | None
    paused_at: datetime | None
    gifted: bool


CLOSED: Final = Gate(active=False, interval=Interval.MONTHLY, next_charge_at=None, paused_at=None, gifted=False)
"""A user who never had sync."""

_GATE: Final = """
SELECT active, billing_interval, next_charge_at, paused_at, is_gifted FROM credits.sync_subscriptions
WHERE user_id = %(user_id)s
"""


def gate(store: Store, user_id: UserId) -> Gate:
    """Read whether a user may sync. One prepared statement on the primary key, past SQLAlchemy: the hottest read."""
    for active, interval, next_at, paused_at, gifted in store.rows_on_driver(_GATE, {"user_id": user_id}):
        return Gate(
            active=active, interval=Interval(interval), next_charge_at=next_at, paused_at=paused_at, gifted=gifted
        )
    return CLOSED


def find(store: Store, user_id: UserId) -> Subscription | None:
    """Read a subscription."""
    row = store.first(select(sync_subscriptions).where(sync_subscriptions.c.user_id == user_id))
    return None if row is None else _subscription(row)


def find_with_balance(store: Store, user_id: UserId) -> tuple[Subscription | None, Credits]:
    """Read a subscription, and what the user has to pay for it, in one statement."""
    joined = sync_subscriptions.outerjoin(balances, balances.c.user_id == sync_subscriptions.c.user_id)
    wanted = select(sync_subscriptions, func.coalesce(balances.c.balance, 0).label("balance")).select_from(joined)
    row = store.first(wanted.where(sync_subscriptions.c.user_id == user_id))
    return (None, Credits(0)) if row is None else (_subscription(row), Credits(row.balance))


def lock(store: Store, user_id: UserId) -> Subscription | None:
    """Lock and read a subscription, waiting for whoever is at it."""
    row = store.first(select(sync_subscriptions).where(sync_subscriptions.c.user_id == user_id).with_for_update())
    return None if row is None else _subscription(row)


def open_locked(store: Store, user_id: UserId, *, now: datetime) -> Subscription:
    """Lock and read a subscription; a user who has none gets an inactive one, however many ask at once."""
    fresh = insert(sync_subscriptions).values(user_id=user_id, created_at=now, updated_at=now)
    store.run(fresh.on_conflict_do_nothing(constraint="sync_subscriptions_pkey"))
    row = store.run(select(sync_subscriptions).where(sync_subscriptions.c.user_id == user_id).with_for_update()).one()
    return _subscription(row)


class _Row(NamedTuple):
    """The columns that `_LOCK_FREE` reads."""

    user_id: str
    active: bool
    billing_interval: str
    amount_charged: int
    anchor_at: datetime | None
    next_charge_at: datetime | None
    paused_at: datetime | None
    is_gifted: bool
    gifted_by: str | None
    gifted_at: datetime | None
    activation: int
    period: int
    auto_resume: bool


_LOCK_FREE: Final = """
SELECT user_id, active, billing_interval, amount_charged, anchor_at, next_charge_at, paused_at, is_gifted, gifted_by,
       gifted_at, activation, period, auto_resume
FROM credits.sync_subscriptions WHERE user_id = ANY (%(user_ids)b::text[]) ORDER BY user_id FOR UPDATE SKIP LOCKED
"""


def lock_free(store: Store, user_ids: Sequence[UserId]) -> dict[UserId, Subscription]:
    """Lock and read these subscriptions; those that somebody else has locked are left out."""
    found = (_Row(*row) for row in store.rows_on_driver(_LOCK_FREE, {"user_ids": list(user_ids)}))
    return {UserId(row.user_id): _subscription(row) for row in found}


def next_activation(store: Store) -> int:
    """Take a number for a new activation; it is never taken again."""
    number: int = store.run(select(_activations.next_value())).scalar_one()
    return number


def change(store: Store, user_id: UserId, *, now: datetime, **values: Any) -> None:
    """Change columns of a locked subscription."""
    is_his = sync_subscriptions.c.user_id == user_id
    store.run(update(sync_subscriptions).where(is_his).values(**values, updated_at=now))


def next_period() -> Any:
    """Write the expression that moves a subscription on to its next period."""
    return sync_subscriptions.c.period + 1


@dataclass(frozen=True, kw_only=True)
class Renewed:
    """What a renewal made of a locked subscription."""

    user_id: UserId
    active: bool
    next_charge_at: datetime | None
    paused_at: datetime | None


_SET_RENEWED: Final = """
UPDATE credits.sync_subscriptions s SET
    active = renewed.active, next_charge_at = renewed.next_charge_at, paused_at = renewed.paused_at,
    period = s.period + 1, looked_ahead = false, updated_at = %(now)s
FROM unnest(%(user_ids)b::text[], %(active)b::boolean[], %(next_at)b::timestamptz[], %(paused_at)b::timestamptz[])
     AS renewed (user_id, active, next_charge_at, paused_at)
WHERE s.user_id = renewed.user_id RETURNING s.user_id
"""


def set_renewed(store: Store, renewed: Sequence[Renewed], *, now: datetime) -> None:
    """Move locked subscriptions on to their next periods, in one statement."""
    asked = {
        "user_ids": [one.user_id for one in renewed],
        "active": [one.active for one in renewed],
        "next_at": [one.next_charge_at for one in renewed],
        "paused_at": [one.paused_at for one in renewed],
        "now": now,
    }
    store.rows_on_driver(_SET_RENEWED, asked)


@dataclass(frozen=True, kw_only=True)
class Due:
    """A subscription whose paid period has ended.

    Attributes:
        is_recorded: There is a renewal for this period already, however it ended.
    """

    due_at: datetime
    user_id: UserId
    period: Period
    is_recorded: bool


# Looks for the same key as `renewal_key` makes.
DUE_PAGE: Final = """
SELECT s.next_charge_at, s.user_id, s.activation, s.period, EXISTS (
    SELECT FROM jobs.jobs j WHERE j.key = 'renew:' || s.user_id || ':' || s.activation || ':' || s.period)
FROM credits.sync_subscriptions s
WHERE s.active AND NOT s.is_gifted AND s.next_charge_at <= %(now)s
  AND (s.next_charge_at, s.user_id) > (%(due_at)s::timestamptz, %(user_id)s::text)
ORDER BY s.next_charge_at, s.user_id LIMIT %(most)s
"""


def renewal_key(user_id: UserId, period: Period) -> str:
    """Name the job that renews a period; it ends in two numbers, so no two users share it."""
    return f"renew:{user_id}:{period.activation}:{period.number}"


def due_page(store: Store, *, now: datetime, after: Due | None, most: int) -> list[Due]:
    """Read a page of what is due, oldest first.

    Args:
        after: The last of the page before. Pages go on behind it whether or not its renewal was recorded or has failed,
            so that nobody's trouble hides the others.
    """
    begin = (after.due_at, after.user_id) if after else ("-infinity", "")
    asked = {"now": now, "due_at": begin[0], "user_id": begin[1], "most": most}
    return [
        Due(
            due_at=due_at,
            user_id=UserId(user_id),
            period=Period(activation=activation, number=period),
            is_recorded=recorded,
        )
        for due_at, user_id, activation, period, recorded in store.rows_on_driver(DUE_PAGE, asked)
    ]


@dataclass(frozen=True, kw_only=True)
class Foreseen:
    """A charge that is near, beside what the user has."""

    user_id: UserId
    period: Period
    amount: Credits
    charge_at: datetime
    available: Credits


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


def look_ahead(store: Store, *, now: datetime, within: timedelta, most: int) -> list[Foreseen]:
    """Take a batch of charges that are near and were not looked at yet; each is taken once."""
    asked = {"now": now, "until": now + within, "most": most}
    return [
        Foreseen(
            user_id=UserId(user_id),
            period=Period(activation=activation, number=period),
            amount=Credits(amount),
            charge_at=charge_at,
            available=Credits(available),
        )
        for user_id, activation, period, amount, charge_at, available in store.rows_on_driver(_LOOK_AHEAD, asked)
    ]


_RESUMABLE: Final = """
SELECT s.user_id, s.activation, s.period FROM credits.sync_subscriptions s
JOIN credits.balances b ON b.user_id = s.user_id AND b.balance >= s.amount_charged
WHERE s.auto_resume AND NOT s.active AND NOT s.is_gifted AND s.paused_at IS NOT NULL
  AND s.user_id > %(after)s::text ORDER BY s.user_id LIMIT %(most)s
"""


def resumable_page(store: Store, *, after: UserId, most: int) -> list[tuple[UserId, Period]]:
    """Read a page of paused users who asked to be activated again, and can pay by now, in the order of their ids."""
    found = store.rows_on_driver(_RESUMABLE, {"after": after, "most": most})
    return [(UserId(user_id), Period(activation=activation, number=period)) for user_id, activation, period in found]


def add_gift_act(
    store: Store, user_id: UserId, *, act: Literal["granted", "revoked"], admin_id: UserId, now: datetime
) -> None:
    """Write down what an administrator did."""
    store.run(insert(sync_gift_audit).values(id=new_id(), user_id=user_id, act=act, admin_id=admin_id, acted_at=now))


def _subscription(row: "Row[Any] | _Row") -> Subscription:
    return Subscription(
        user_id=UserId(row.user_id),
        active=row.active,
        interval=Interval(row.billing_interval),
        amount=Credits(row.amount_charged),
        anchor_at=row.anchor_at,
        next_charge_at=row.next_charge_at,
        paused_at=row.paused_at,
        is_gifted=row.is_gifted,
        gifted_by=row.gifted_by,
        gifted_at=row.gifted_at,
        period=Period(activation=row.activation, number=row.period),
        auto_resume=row.auto_resume,
    )
