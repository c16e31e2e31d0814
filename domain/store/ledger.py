"""The ledger: balances, and the transactions that made them."""

from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import Row, select
from sqlalchemy.dialects.postgresql import insert

from domain.errors import InsufficientCredits, KeyReused
from domain.ids import new_id
from domain.rules.ledger import Appended, Balance, BalanceRow, Movement, Transaction, TransactionType
from domain.store.database import Store
from domain.store.tables import balances, transactions
from domain.units import UserId


class _Made(NamedTuple):
    """What `credits.append` returns."""

    outcome: str
    id: UUID
    seq: int
    balance_before: int
    balance_after: int
    total_earned: int
    total_spent: int
    created_at: datetime


_APPEND: Final = """
SELECT outcome, id, seq, balance_before, balance_after, total_earned, total_spent, created_at FROM credits.append(
    %(id)s, %(user_id)s, %(type)s, %(amount)s, %(app_id)s, %(counterparty)s, %(description)s, %(metadata)s,
    %(movement_key)s, %(idempotency_key)s, %(request_hash)s, %(now)s)
"""


_BALANCE: Final = """
SELECT balance, total_earned, total_spent FROM credits.balances WHERE user_id = %(user_id)s
"""


def append(store: Store, movement: Movement, *, now: datetime) -> Appended:
    """Move credits: lock the balance, look for the key, write the transaction. One statement, one round trip.

    Raises:
        InsufficientCredits: a debit is larger than the balance (a clawback may go below zero).
        KeyReused: the movement's key is in the ledger already, from another request.
    """
    made = _Made._make(
        store.first_on_driver(  # type: ignore[arg-type] # the function always returns a row
            _APPEND,
            {
                "id": new_id(),
                "user_id": movement.user_id,
                "type": movement.type.value,
                "amount": movement.amount,
                "app_id": movement.app_id,
                "counterparty": movement.counterparty,
                "description": movement.description,
                "metadata": None if movement.metadata is None else Jsonb(movement.metadata),
                "movement_key": movement.movement_key,
                "idempotency_key": movement.idempotency_key,
                "request_hash": movement.request_hash,
                "now": now,
            },
        )
    )
    match made.outcome:
        case "appended":
            return Appended(transaction=_written(movement, made), replayed=False)
        case "replayed":
            row = store.run(select(transactions).where(transactions.c.id == made.id)).one()
            return Appended(transaction=transaction_of(row), replayed=True)
        case "insufficient":
            raise InsufficientCredits(required=-movement.amount, available=made.balance_before)
        case _:
            raise KeyReused


def balance_of(store: Store, user_id: UserId, *, now: datetime) -> Balance:
    """Read a user's balance; a user never seen before gets one of zero, however many ask at once."""
    row = store.first_on_driver(_BALANCE, {"user_id": user_id})
    if row is None:
        open_balance(store, user_id, now=now)
        row = (0, 0, 0)
    balance, total_earned, total_spent = row
    return Balance(balance=balance, total_earned=total_earned, total_spent=total_spent)


def open_balance(store: Store, user_id: UserId, *, now: datetime) -> None:
    """Make sure that the user has a balance row; an existing one is left as it is."""
    fresh = insert(balances).values(user_id=user_id, created_at=now, updated_at=now)
    store.run(fresh.on_conflict_do_nothing(constraint="balances_pkey"))


def balance_row(store: Store, user_id: UserId) -> BalanceRow:
    """Read the balance row of a user who has one."""
    row = store.run(select(balances).where(balances.c.user_id == user_id)).one()
    return BalanceRow(
        user_id=row.user_id,
        balance=row.balance,
        total_earned=row.total_earned,
        total_spent=row.total_spent,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def history(
    store: Store, user_id: UserId, *, limit: int, offset: int = 0, before_seq: int | None = None
) -> list[Transaction]:
    """Read a user's transactions, newest first.

    Args:
        before_seq: Only transactions older than this one: the way through long histories.
    """
    wanted = select(transactions).where(transactions.c.user_id == user_id)
    if before_seq is not None:
        wanted = wanted.where(transactions.c.seq < before_seq)
    rows = store.run(wanted.order_by(transactions.c.seq.desc()).limit(limit).offset(offset))
    return [transaction_of(row) for row in rows]


def _written(movement: Movement, made: _Made) -> Transaction:
    return Transaction(
        id=made.id,
        user_id=movement.user_id,
        seq=made.seq,
        type=movement.type,
        status="completed",
        amount=movement.amount,
        balance_before=made.balance_before,
        balance_after=made.balance_after,
        total_earned=made.total_earned,
        total_spent=made.total_spent,
        app_id=movement.app_id,
        counterparty=movement.counterparty,
        description=movement.description,
        metadata=movement.metadata,
        idempotency_key=movement.idempotency_key,
        created_at=made.created_at,
        completed_at=made.created_at,
    )


def transaction_of(row: Row[Any]) -> Transaction:
    """Read a transaction off a row that has all its columns."""
    return Transaction(
        id=row.id,
        user_id=row.user_id,
        seq=row.seq,
        type=TransactionType(row.type),
        status=row.status,
        amount=row.amount,
        balance_before=row.balance_before,
        balance_after=row.balance_after,
        total_earned=row.total_earned,
        total_spent=row.total_spent,
        app_id=row.app_id,
        counterparty=row.counterparty,
        description=row.description,
        metadata=row.metadata,
        idempotency_key=row.idempotency_key,
        created_at=row.created_at,
        completed_at=row.completed_at,
    )
