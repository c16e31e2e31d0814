"""All there is about one user, for the eyes of operators; and its erasure."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import text

from domain.store.database import Store
from domain.units import UserId

_ERASE: Final = text("SELECT * FROM credits.erase(:user_id, :email)")
_PARTS: Final = {
    "subscription": ("credits.sync_subscriptions", "user_id = :user_id", "user_id"),
    "gifts": ("gifts.gift_codes", "creator_id = :user_id", "created_at DESC"),
    "redemptions": (
        "gifts.gift_redemptions",
        ":user_id IN (to_jsonb(x) ->> 'redeemer_id', to_jsonb(x) ->> 'redeemed_by', to_jsonb(x) ->> 'user_id')",
        "to_jsonb(x) ->> 'id' DESC",
    ),
    "holds": ("credits.reservations", "user_id = :user_id", "created_at DESC"),
}


def erase(store: Store, user_id: UserId, email: str | None) -> Mapping[str, int]:
    """Blank what describes a person; returns how many rows of each kind were touched."""
    row = store.run(_ERASE, {"user_id": user_id, "email": email}).one()
    return dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name


def parts_of(store: Store, user_id: UserId, *, limit: int) -> dict[str, list[dict[str, Any]]]:
    """Read the user's rows in those tables that this database has, as JSON."""
    found = {}
    for part, (table, condition, order) in _PARTS.items():
        if store.run(text("SELECT to_regclass(:name)"), {"name": table}).scalar() is None:
            continue
        sql = text(f"SELECT to_jsonb(x) FROM {table} x WHERE {condition} ORDER BY {order} LIMIT :limit")
        found[part] = list(store.run(sql, {"user_id": user_id, "limit": limit}).scalars())
    return found
