"""What the views work with: settings, database, bell, tokens. One set for each application."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from flask import current_app

if TYPE_CHECKING:
    from collections.abc import Iterator

    from domain.rules.ledger import Appended, Movement
    from domain.store import Database, Store
    from domain.store.group_commit import GroupCommit
    from domain.units import UserId
    from settings import Settings
    from web.http.auth import Tokens
    from web.http.turns import Turns
    from web.http.waiting import WaitingRoom
    from workers.broker import Bell

EXTENSION = "mana_credits"


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """The outside world of the web process.

    Attributes:
        openapi: The OpenAPI document of this application.
    """

    settings: Settings
    database: Database
    bell: Bell
    tokens: Tokens
    turns: Turns
    group_commit: GroupCommit
    waiting_room: WaitingRoom
    openapi: dict[str, Any]

    def close(self) -> None:
        """Close every idle connection to PostgreSQL."""
        self.group_commit.close()
        self.database.close()


def surroundings() -> Surroundings:
    """Find the surroundings of the application that handles this request."""
    return cast("Surroundings", current_app.extensions[EXTENSION])


@contextmanager
def transaction(user_id: UserId) -> Iterator[Store]:
    """Open a transaction in which this user's rows are written; a few at a time for each user."""
    around = surroundings()
    with around.turns.of(user_id), around.database.begin() as store:
        yield store


@contextmanager
def statement(user_id: UserId) -> Iterator[Store]:
    """Open a store for an act of one statement, which commits by itself."""
    around = surroundings()
    with around.turns.of(user_id), around.database.single() as store:
        yield store


def append(movement: Movement) -> Appended:
    """Move credits, in one commit with what other requests move at the same time; see `GroupCommit.append`."""
    return surroundings().group_commit.append(movement, now=datetime.now(UTC))
