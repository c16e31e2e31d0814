"""The holds: table `credits.reservations`."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Row, Table, Text, Uuid, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from domain.errors import NotFound
from domain.rules.holds import Hold, HoldStatus
from domain.store.database import Reader, Store
from domain.store.paging import Position, overdue
from domain.store.schema import instant, metadata
from domain.units import Credits, UserId

reservations = Table(
    "reservations",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("user_id", Text, ForeignKey("credits.balances.user_id", name="reservations_user_id_fkey"), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("status", Text, nullable=False, server_default="open"),
    Column("committed_amount", BigInteger),
    instant("expires_at"),
    instant("created_at"),
    instant("ended_at", nullable=True),
    Index("reservations_due", "expires_at", "id", postgresql_where=text("status = 'open'")),
    Index("reservations_user", "user_id", text("created_at DESC")),
    schema="credits",
)


def add(
    store: Store, hold_id: UUID, *, user_id: UserId, amount: Credits, reason: str, expires_at: datetime, now: datetime
) -> None:
    """Write a new, open hold."""
    store.run(
        insert(reservations).values(
            id=hold_id, user_id=user_id, amount=amount, reason=reason, expires_at=expires_at, created_at=now
        )
    )


def owner_of(reader: Reader, hold_id: UUID) -> UserId:
    """Tell whose credits a hold holds.

    Raises:
        NotFound: there is no such hold.
    """
    owner: UserId | None = reader.run(select(reservations.c.user_id).where(reservations.c.id == hold_id)).scalar()
    if owner is None:
        raise NotFound("Reservation")
    return owner


def lock(store: Store, hold_id: UUID) -> Hold | None:
    """Lock and read a hold: committing, releasing and expiring it wait here for each other; the first one ends it."""
    row = store.first(select(reservations).where(reservations.c.id == hold_id).with_for_update())
    return None if row is None else _hold(row)


def end(
    store: Store, hold_id: UUID, status: HoldStatus, *, committed_amount: Credits | None = None, now: datetime
) -> None:
    """Write the end of a locked, open hold."""
    # The clock of this machine may be behind that of the machine that created the hold.
    ended_at = func.greatest(now, reservations.c.created_at)
    values = {"status": status.value, "committed_amount": committed_amount, "ended_at": ended_at}
    store.run(update(reservations).where(reservations.c.id == hold_id).values(values))


def due(reader: Reader, *, now: datetime, behind: Position | None, most: int) -> list[Position]:
    """Find open holds past their end, the longest overdue first; `behind` goes on after one already seen."""
    return overdue(reader, reservations, status=HoldStatus.OPEN.value, now=now, behind=behind, most=most)


def _hold(row: Row[Any]) -> Hold:
    return Hold(
        id=row.id,
        user_id=row.user_id,
        amount=row.amount,
        reason=row.reason,
        status=HoldStatus(row.status),
        committed_amount=row.committed_amount,
        expires_at=row.expires_at,
        created_at=row.created_at,
        ended_at=row.ended_at,
    )
