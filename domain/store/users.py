"""All there is about one user, for the eyes of operators; and its erasure."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import text

from domain.store.database import Store
from domain.units import UserId

_ERASE: Final = text("SELECT * FROM credits.erase(:user_id, :address)")
_PARTS: Final = {
    "subscription": ("credits.sync_subscriptions", "user_id = :user_id", "user_id"),
    "gifts": ("gifts.gift_codes", "creator_id = :user_id", "created_at DESC"),
    "redemptions": ("gifts.gift_redemptions", "user_id = :user_id", "created_at DESC"),
    "holds": ("credits.reservations", "user_id = :user_id", "created_at DESC"),
}


def erase(store: Store, user_id: UserId, address: str | None) -> Mapping[str, int]:
    """Blank what describes a person; returns how many rows of each kind were touched."""
    row = store.run(_ERASE, {"user_id": user_id, "address": address}).one()
    return dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name


def parts_of(store: Store, user_id: UserId, *, limit: int) -> dict[str, list[dict[str, Any]]]:
    """Read the user's rows outside the ledger, newest first, as JSON."""
    found = {}
    for part, (table, condition, order) in _PARTS.items():
        sql = text(f"SELECT to_jsonb(x) FROM {table} x WHERE {condition} ORDER BY {order} LIMIT :limit")
        found[part] = list(store.run(sql, {"user_id": user_id, "limit": limit}).scalars())
    return found
