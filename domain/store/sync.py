"""The subscriptions: one row a user, and the statements that lock, find and change them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Index, Table, Text, Uuid, func, select, text, update
from sqlalchemy import Sequence as SqlSequence
from sqlalchemy.dialects.postgresql import insert

from domain.ids import new_id
from domain.rules.sync import Interval, Period, Status, Subscription, status_of
from domain.store.balances import balances
from domain.store.database import Reader, Store
from domain.store.schema import metadata
from domain.units import Credits, UserId

sync_subscriptions = Table(
    "sync_subscriptions",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("active", Boolean, nullable=False, server_default=text("false")),
    Column("billing_interval", Text, nullable=False, server_default="monthly"),
    Column("amount_charged", BigInteger, nullable=False, server_default="30"),
    Column("activated_at", DateTime(timezone=True)),
    Column("anchor_at", DateTime(timezone=True)),
    Column("next_charge_at", DateTime(timezone=True)),
    Column("paused_at", DateTime(timezone=True)),
    Column("is_gifted", Boolean, nullable=False, server_default=text("false")),
    Column("gifted_by", Text),
    Column("gifted_at", DateTime(timezone=True)),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("activation", BigInteger, nullable=False, server_default=text("nextval('credits.sync_activations')")),
    Column("period", BigInteger, nullable=False, server_default="0"),
    Column("auto_resume", Boolean, nullable=False, server_default=text("false")),
    Column("looked_ahead", Boolean, nullable=False, server_default=text("false")),
    Index("sync_subscriptions_due", "next_charge_at", "user_id", postgresql_where=text("active AND NOT is_gifted")),
    Index(
        "sync_subscriptions_unforeseen",
        "next_charge_at",
        postgresql_where=text("active AND NOT is_gifted AND NOT looked_ahead"),
    ),
    Index(
        "sync_subscriptions_resumable",
        "user_id",
        postgresql_where=text("auto_resume AND NOT active AND NOT is_gifted AND paused_at IS NOT NULL"),
    ),
    schema="credits",
)


sync_gift_audit = Table(
    "sync_gift_audit",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("admin_id", Text, nullable=False),
    Column("acted_at", DateTime(timezone=True), nullable=False),
    Index("sync_gift_audit_user", "user_id", "acted_at"),
    schema="credits",
)

_activations = SqlSequence("sync_activations", schema="credits")

_GATE: Final = """
SELECT active, billing_interval, next_charge_at, paused_at, is_gifted FROM credits.sync_subscriptions
WHERE user_id = %(user_id)s
"""
_RESUMABLE: Final = """
SELECT s.user_id, s.activation, s.period FROM credits.sync_subscriptions s
JOIN credits.balances b ON b.user_id = s.user_id AND b.balance >= s.amount_charged
WHERE s.auto_resume AND NOT s.active AND NOT s.is_gifted AND s.paused_at IS NOT NULL
  AND s.user_id > %(after)s::text ORDER BY s.user_id LIMIT %(most)s
"""


@dataclass(frozen=True, kw_only=True)
class Gate:
    """What the sync server checks before each push and pull."""

    active: bool
    interval: Interval
    next_charge_at: datetime | None
    paused_at: datetime | None
    gifted: bool


CLOSED: Final = Gate(active=False, interval=Interval.MONTHLY, next_charge_at=None, paused_at=None, gifted=False)
"""The gate of a user who never had sync."""


def gate(reader: Reader, user_id: UserId) -> Gate:
    """Read whether a user may sync: one prepared statement on the primary key, since no read is more frequent."""
    for active, interval, next_at, paused_at, gifted in reader.fetch_all(_GATE, {"user_id": user_id}):
        return Gate(
            active=active, interval=Interval(interval), next_charge_at=next_at, paused_at=paused_at, gifted=gifted
        )
    return CLOSED


def find(reader: Reader, user_id: UserId) -> Subscription | None:
    """Read a subscription."""
    row = reader.first(select(sync_subscriptions).where(sync_subscriptions.c.user_id == user_id))
    return None if row is None else subscription_of(row)


def status(reader: Reader, user_id: UserId) -> Status:
    """Read a user's sync: the subscription, and the balance to pay it from, in one statement."""
    joined = sync_subscriptions.outerjoin(balances, balances.c.user_id == sync_subscriptions.c.user_id)
    both = select(sync_subscriptions, func.coalesce(balances.c.balance, 0).label("balance")).select_from(joined)
    row = reader.first(both.where(sync_subscriptions.c.user_id == user_id))
    if row is None:
        return status_of(None, available=Credits(0))
    return status_of(subscription_of(row), available=Credits(row.balance))


def lock(store: Store, user_id: UserId) -> Subscription | None:
    """Lock and read a subscription; waits while another transaction has it locked."""
    row = store.first(select(sync_subscriptions).where(sync_subscriptions.c.user_id == user_id).with_for_update())
    return None if row is None else subscription_of(row)


def open_locked(store: Store, user_id: UserId, *, now: datetime) -> Subscription:
    """Lock and read a subscription; a user who has none gets an inactive one, once."""
    fresh = insert(sync_subscriptions).values(user_id=user_id, created_at=now, updated_at=now)
    store.run(fresh.on_conflict_do_nothing(constraint="sync_subscriptions_pkey"))
    row = store.run(select(sync_subscriptions).where(sync_subscriptions.c.user_id == user_id).with_for_update()).one()
    return subscription_of(row)


def next_activation(store: Store) -> int:
    """Take a number for a new activation; it is never taken again."""
    number: int = store.run(select(_activations.next_value())).scalar_one()
    return number


def change(store: Store, user_id: UserId, *, now: datetime, **values: Any) -> None:
    """Change columns of a locked subscription."""
    of_user = sync_subscriptions.c.user_id == user_id
    store.run(update(sync_subscriptions).where(of_user).values(**values, updated_at=now))


def next_period() -> Any:
    """Write the expression that moves a subscription on to its next period."""
    return sync_subscriptions.c.period + 1


def resumable_page(reader: Reader, *, after: UserId, most: int) -> list[tuple[UserId, Period]]:
    """Read a page of paused users who asked to be activated again, and can pay by now, in the order of their ids."""
    rows = reader.fetch_all(_RESUMABLE, {"after": after, "most": most})
    return [(UserId(row.user_id), Period(activation=row.activation, number=row.period)) for row in rows]


def add_gift_act(
    store: Store, user_id: UserId, *, act: Literal["granted", "revoked"], admin_id: UserId, now: datetime
) -> None:
    """Write down that an administrator gave or revoked sync."""
    store.run(insert(sync_gift_audit).values(id=new_id(), user_id=user_id, act=act, admin_id=admin_id, acted_at=now))


def subscription_of(row: Any) -> Subscription:
    """Read a subscription off a row that has its columns."""
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
