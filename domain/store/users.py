"""All that is stored about one user, for operators; and erasing it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import text

from domain.rules.job_search import FoundJob, JobFilter
from domain.rules.ledger import Balance, Transaction
from domain.rules.purchases import Purchase
from domain.store import balances, job_search, ledger, purchases
from domain.store.database import Reader, Store
from domain.units import UserId

ROWS: Final = 20
"""How many rows of each list a sheet shows."""

_ERASE: Final = text("SELECT * FROM credits.erase(:user_id, :address)")
_PARTS: Final = {
    "subscription": ("credits.sync_subscriptions", "user_id = :user_id", "user_id"),
    "gifts": ("gifts.gift_codes", "creator_id = :user_id", "created_at DESC"),
    "redemptions": ("gifts.gift_redemptions", "user_id = :user_id", "created_at DESC"),
    "holds": ("credits.reservations", "user_id = :user_id", "created_at DESC"),
}


def erase(store: Store, user_id: UserId, address: str | None) -> Mapping[str, int]:
    """Blank what describes a person; returns how many rows of each kind were changed."""
    row = store.run(_ERASE, {"user_id": user_id, "address": address}).one()
    return dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name


def parts_of(reader: Reader, user_id: UserId, *, limit: int) -> dict[str, list[dict[str, Any]]]:
    """Read the user's rows outside the ledger, newest first, as JSON."""
    parts = {}
    for part, (table, condition, order) in _PARTS.items():
        sql = text(f"SELECT to_jsonb(x) FROM {table} x WHERE {condition} ORDER BY {order} LIMIT :limit")
        parts[part] = list(reader.run(sql, {"user_id": user_id, "limit": limit}).scalars())
    return parts


@dataclass(frozen=True, kw_only=True)
class UserSheet:
    """The latest rows of a user in each list. `parts`: subscription, gifts and holds as JSON rows."""

    balance: Balance
    transactions: Sequence[Transaction]
    purchases: Sequence[Purchase]
    jobs: Sequence[FoundJob]
    parts: Mapping[str, Sequence[Mapping[str, Any]]]


def sheet(reader: Reader, user_id: UserId) -> UserSheet:
    """Read everything about a user. An unknown one has a balance of zero."""
    return UserSheet(
        balance=balances.balance_of(reader, user_id),
        transactions=ledger.history(reader, user_id, limit=ROWS),
        purchases=purchases.of_user(reader, user_id, limit=ROWS),
        jobs=job_search.find(reader, JobFilter(user_id=user_id), limit=ROWS),
        parts=parts_of(reader, user_id, limit=ROWS),
    )
