"""Holds on Anna's credits."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from domain.operations import holds
from domain.rules.idempotency import ClientKey
from domain.store import Database
from domain.units import Credits
from tests.support.times import now
from tests.support.users import ANNA


def hold(
    database: Database,
    amount: int,
    *,
    key: ClientKey | None = None,
    at: datetime | None = None,
    life: timedelta = timedelta(hours=1),
) -> UUID:
    """Hold credits for a while; returns the hold's id."""
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
    """Spend a hold, or a part of it."""
    spent = None if amount is None else Credits(amount)
    with database.begin() as store:
        return holds.commit_hold(store, hold_id=hold_id, amount=spent, description=None, key=key, now=now())
