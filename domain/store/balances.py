"""The balances: one row a user. Only `credits.append` changes them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Column, Table, Text, select
from sqlalchemy.dialects.postgresql import insert

from domain.rules.ledger import Balance, BalanceRow
from domain.store.database import Reader, Store
from domain.store.schema import instant, metadata, number
from domain.units import Credits, UserId

balances = Table(
    "balances",
    metadata,
    Column("user_id", Text, primary_key=True),
    number("balance", default=0),
    number("total_earned", default=0),
    number("total_spent", default=0),
    number("version", default=0),
    instant("created_at"),
    instant("updated_at"),
    instant("erased_at", nullable=True),
    schema="credits",
)

_BALANCE: Final = """
SELECT balance, total_earned, total_spent FROM credits.balances WHERE user_id = %(user_id)s
"""
_LOCK: Final = "SELECT * FROM credits.lock_balances(%(user_ids)b::text[], %(wait)s)"


def balance_of(reader: Reader, user_id: UserId) -> Balance:
    """Read a user's balance; that of a user never seen before is zero."""
    row = reader.fetch_one(_BALANCE, {"user_id": user_id})
    balance, total_earned, total_spent = (0, 0, 0) if row is None else row
    return Balance(balance=Credits(balance), total_earned=Credits(total_earned), total_spent=Credits(total_spent))


def is_erased(reader: Reader, user_id: UserId) -> bool:
    """Tell whether a user was erased."""
    sql = "SELECT 1 FROM credits.balances WHERE user_id = %(user_id)s AND erased_at IS NOT NULL"
    return reader.fetch_one(sql, {"user_id": user_id}) is not None


def open_balance(store: Store, user_id: UserId, *, now: datetime) -> None:
    """Make sure that the user has a balance row; an existing one is left as it is."""
    fresh = insert(balances).values(user_id=user_id, created_at=now, updated_at=now)
    store.run(fresh.on_conflict_do_nothing(constraint="balances_pkey"))


def balance_row(reader: Reader, user_id: UserId) -> BalanceRow:
    """Read the balance row of a user who has one."""
    row = reader.run(select(balances).where(balances.c.user_id == user_id)).one()
    return BalanceRow(
        user_id=row.user_id,
        balance=row.balance,
        total_earned=row.total_earned,
        total_spent=row.total_spent,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def lock_balances(store: Store, user_ids: Sequence[UserId], *, wait: bool) -> dict[UserId, Credits]:
    """Lock the balances of these users, in sorted order, and read them.

    Args:
        wait: Wait for balances that another transaction has locked; otherwise they are left out, as users without a
            balance always are.
    """
    locked = store.fetch_all(_LOCK, {"user_ids": list(user_ids), "wait": wait})
    return {UserId(user_id): Credits(balance) for user_id, balance in locked}
