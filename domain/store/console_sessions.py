"""Sessions of the operators' console. Rows are added, read and deleted, never changed."""

from datetime import datetime

from sqlalchemy import Index, LargeBinary, Table, insert, select
from sqlalchemy.schema import Column

from domain.rules.console_sessions import ConsoleSession
from domain.store.database import Reader, Store
from domain.store.schema import instant, metadata, text_column
from domain.units import UserId

console_sessions = Table(
    "console_sessions",
    metadata,
    Column("id_hash", LargeBinary, primary_key=True),
    text_column("who"),
    text_column("csrf"),
    instant("created_at"),
    instant("ends_at"),
    Index("console_sessions_ends_at", "ends_at"),
    Index("console_sessions_who", "who", "created_at"),
    schema="jobs",
)


def add(store: Store, session: ConsoleSession, *, id_hash: bytes) -> None:
    """Add a session."""
    row = {
        "id_hash": id_hash,
        "who": session.who,
        "csrf": session.csrf,
        "created_at": session.created_at,
        "ends_at": session.ends_at,
    }
    store.run(insert(console_sessions), row)


def find(reader: Reader, id_hash: bytes, *, now: datetime) -> ConsoleSession | None:
    """Find a session that has not ended."""
    query = select(console_sessions).where(console_sessions.c.id_hash == id_hash, console_sessions.c.ends_at > now)
    row = reader.first(query)
    if row is None:
        return None
    return ConsoleSession(who=UserId(row.who), csrf=row.csrf, created_at=row.created_at, ends_at=row.ends_at)


def delete(store: Store, id_hash: bytes) -> None:
    """Delete a session, if it is there."""
    store.run(console_sessions.delete().where(console_sessions.c.id_hash == id_hash))


def delete_oldest(store: Store, who: UserId, *, keep: int) -> None:
    """Delete an operator's sessions but for the `keep` that were opened last."""
    columns = console_sessions.c
    of_operator = select(columns.id_hash).where(columns.who == who)
    oldest = of_operator.order_by(columns.created_at.desc(), columns.id_hash).offset(keep)
    store.run(console_sessions.delete().where(columns.id_hash.in_(oldest)))


def delete_all_of(store: Store, who: UserId) -> int:
    """Delete all sessions of an operator; returns how many."""
    deleted: int = store.run(console_sessions.delete().where(console_sessions.c.who == who)).rowcount
    return deleted


def prune(store: Store, *, ended_before: datetime, most: int) -> int:
    """Delete at most `most` sessions that have ended; returns how many."""
    ended = select(console_sessions.c.id_hash).where(console_sessions.c.ends_at <= ended_before)
    batch = ended.limit(most)  # without `FOR UPDATE`, which needs the right to update
    deleted: int = store.run(console_sessions.delete().where(console_sessions.c.id_hash.in_(batch))).rowcount
    return deleted
