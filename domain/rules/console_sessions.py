"""Sessions of the operators' console: how long they last, and how they are stored."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from domain.units import UserId

LIFE_MAX: Final = timedelta(hours=8)

SESSIONS_MAX: Final = 20
"""How many sessions an operator has at most: one more ends the oldest."""


@dataclass(frozen=True, kw_only=True)
class ConsoleSession:
    """An operator's session.

    Attributes:
        who: The subject of the token that opened it.
        csrf: What every form of the session must carry.
    """

    who: UserId
    csrf: str
    created_at: datetime
    ends_at: datetime


def session_end(token_expires_at: float, *, now: datetime) -> datetime:
    """Return when a session that is opened now ends: with its token, at the latest after `LIFE_MAX`.

    Args:
        token_expires_at: Seconds since 1970, of any size.
    """
    return datetime.fromtimestamp(min(token_expires_at, (now + LIFE_MAX).timestamp()), UTC)


def session_id_hash(session_id: str) -> bytes:
    """Return what is stored of a session's id. It needs no salt: the id is 256 random bits, which nobody can guess."""
    return hashlib.sha256(session_id.encode("utf-8", "replace")).digest()
