"""Sessions of the operators' console: opened, ended, pruned."""

import secrets
from datetime import datetime
from typing import Final

from domain.rules.console_sessions import SESSIONS_MAX, ConsoleSession, session_id_hash
from domain.store import Store
from domain.store import console_sessions as rows
from domain.units import UserId

SESSION_ID_BYTES: Final = 32
CSRF_BYTES: Final = 24
PRUNE_BATCH: Final = 5_000


def open_session(store: Store, *, who: UserId, ends_at: datetime, now: datetime) -> str:
    """Open a session for an operator whose token was verified; returns its id, which only the browser keeps.

    An operator's oldest sessions end when there are more than `SESSIONS_MAX`.

    Args:
        who: The subject of the token.
        ends_at: After `now`, at most `LIFE_MAX` later.
    """
    session_id = secrets.token_urlsafe(SESSION_ID_BYTES)
    session = ConsoleSession(who=who, csrf=secrets.token_urlsafe(CSRF_BYTES), created_at=now, ends_at=ends_at)
    rows.add(store, session, id_hash=session_id_hash(session_id))
    rows.delete_oldest(store, who, keep=SESSIONS_MAX)
    return session_id


def end_session(store: Store, session_id: str) -> None:
    """End a session, in all processes and for every copy of its cookie; repeatable."""
    rows.delete(store, session_id_hash(session_id))


def end_all_of(store: Store, who: UserId) -> int:
    """End all sessions of an operator; returns how many there were."""
    return rows.delete_all_of(store, who)


def prune(store: Store, *, now: datetime) -> int:
    """Delete a batch of sessions that have ended; returns how many."""
    return rows.prune(store, ended_before=now, most=PRUNE_BATCH)
