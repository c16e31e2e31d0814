"""What the views work with: settings, database, bell, tokens. Each application has its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, cast

from flask import current_app

from domain.rules.ledger import Appended, Movement
from domain.store import Database, Reader, Store
from domain.store.group_commit import GroupCommit
from domain.units import UserId
from gateways.bell import Bell
from settings import Settings
from web.http.kept_answers import KeptAnswers
from web.http.readiness import Readiness
from web.http.tokens import Tokens
from web.http.turns import Turns
from web.http.waiting_room import WaitingRoom

EXTENSION: Final = "mana_credits"


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The parts of a web process (`process.parts.WebParts`), and what it keeps in memory.

    Attributes:
        openapi: The OpenAPI document of this application.
        kept_answers: Public answers that cost much.
    """

    settings: Settings
    database: Database
    bell: Bell
    tokens: Tokens
    turns: Turns
    group_commit: GroupCommit
    waiting_room: WaitingRoom
    readiness: Readiness
    openapi: dict[str, Any]
    kept_answers: KeptAnswers = field(default_factory=KeptAnswers)

    def close(self) -> None:
        """Close every idle connection to PostgreSQL."""
        self.group_commit.close()
        self.database.close()


def current_parts() -> Parts:
    """Return the parts of the application that handles this request."""
    return cast("Parts", current_app.extensions[EXTENSION])


@contextmanager
def transaction(user_id: UserId) -> Iterator[Store]:
    """Open a transaction in which this user's rows are written. Each user has a few at a time."""
    parts = current_parts()
    with parts.turns.take(user_id), parts.database.begin() as store:
        yield store


@contextmanager
def reading(user_id: UserId) -> Iterator[Reader]:
    """Open a connection to read a user's rows with. Each user has a few at a time."""
    parts = current_parts()
    with parts.turns.take(user_id), parts.database.read() as reader:
        yield reader


@contextmanager
def statement(user_id: UserId) -> Iterator[Store]:
    """Open a store for an act of one statement, which commits by itself."""
    parts = current_parts()
    with parts.turns.take(user_id), parts.database.single() as store:
        yield store


def append(movement: Movement) -> Appended:
    """Move credits, in one commit with what other requests move at the same time; see `GroupCommit.append`."""
    return current_parts().group_commit.append(movement, now=datetime.now(UTC))
