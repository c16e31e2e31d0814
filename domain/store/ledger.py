"""The ledger: balances, and the transactions that made them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import Column, ForeignKey, LargeBinary, Row, Table, Text, UniqueConstraint, Uuid, select

from domain.errors import InsufficientCredits, KeyReused, UserErased
from domain.ids import new_id
from domain.rules.idempotency import ClientKey, check_repeated
from domain.rules.ledger import (
    WHOLE_HISTORY,
    Appended,
    HistoryFilter,
    Movement,
    Transaction,
    TransactionType,
)
from domain.store.database import Reader, Store
from domain.store.schema import instant, json_column, metadata, number, text_column
from domain.units import UserId

transactions = Table(
    "transactions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("user_id", Text, ForeignKey("credits.balances.user_id", name="transactions_user_id_fkey"), nullable=False),
    number("seq"),
    text_column("type"),
    text_column("status", default="completed"),
    number("amount"),
    number("balance_before"),
    number("balance_after"),
    number("total_earned"),
    number("total_spent"),
    text_column("app_id"),
    text_column("counterparty"),
    text_column("description"),
    json_column("metadata"),
    text_column("movement_key"),
    text_column("idempotency_key", nullable=True),
    Column("request_hash", LargeBinary),
    instant("created_at"),
    instant("completed_at"),
    UniqueConstraint("user_id", "seq", name="transactions_seq_key"),
    UniqueConstraint("user_id", "movement_key", name="transactions_movement_key"),
    schema="credits",
)

_APPEND: Final = """
SELECT outcome, id, seq, balance_before, balance_after, total_earned, total_spent, created_at FROM credits.append(
    %(id)s, %(user_id)s, %(type)s, %(amount)s, %(app_id)s, %(counterparty)s, %(description)s, %(metadata)s,
    %(movement_key)s, %(idempotency_key)s, %(request_hash)s, %(now)s)
"""
_APPEND_TOGETHER: Final = """
SELECT place, outcome, appended.id, seq, balance_before, balance_after, total_earned, total_spent, created_at
FROM unnest(%(ids)b::uuid[], %(user_ids)b::text[], %(types)b::text[], %(amounts)b::bigint[], %(app_ids)b::text[],
            %(counterparties)b::text[], %(descriptions)b::text[], %(metadata)b::jsonb[], %(movement_keys)b::text[],
            %(idempotency_keys)b::text[], %(request_hashes)b::bytea[])
     WITH ORDINALITY AS movement (id, user_id, type, amount, app_id, counterparty, description, metadata, movement_key,
                                  idempotency_key, request_hash, place)
CROSS JOIN LATERAL credits.append(
    movement.id, user_id, type, amount, app_id, counterparty, description, metadata, movement_key, idempotency_key,
    request_hash, %(now)s) AS appended
"""


def append(store: Store, movement: Movement, *, now: datetime) -> Appended:
    """Move credits: lock the balance, look for the key, write the transaction. One statement, one round trip.

    Raises:
        InsufficientCredits: a debit is larger than the balance (a clawback may go below zero).
        KeyReused: the movement's key is in the ledger already, from another request.
        UserErased: nobody acts for this user any more.
    """
    row = store.fetch_one(
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
    match row.outcome:
        case "appended":
            return Appended(transaction=_written(movement, row), replayed=False)
        case "replayed":
            return Appended(transaction=get(store, row.id), replayed=True)
        case "insufficient":
            raise InsufficientCredits(required=-movement.amount, available=row.balance_before)
        case "user_erased":
            raise UserErased
        case _:
            raise KeyReused


def append_together(store: Store, movements: Sequence[Movement], *, now: datetime) -> list[Appended | None]:
    """Move the credits of many users, and of one user many times, in one statement: all that are not refused, or none.

    Returns:
        What was appended, in the order given; `None` for a movement that was refused or written before: `append` tells
        which.
    """
    return [
        Appended(transaction=_written(movement, row), replayed=False) if row.outcome == "appended" else None
        for movement, row in zip(movements, _append_together(store, movements, now=now), strict=True)
    ]


def append_all(store: Store, movements: Sequence[Movement], *, now: datetime) -> list[UUID]:
    """Move the credits of many users in one statement, all or none, and return the transactions' ids in that order.

    Raises:
        BulkRefused: one of them was not written; the caller's transaction must end.
    """
    rows = _append_together(store, movements, now=now)
    written = [row.id for row in rows if row.outcome == "appended"]
    if len(written) != len(movements):
        raise BulkRefused(f"{len(movements) - len(written)} of {len(movements)} movements were refused")
    return written


def _append_together(store: Store, movements: Sequence[Movement], *, now: datetime) -> list[Any]:
    """Append in the order of the users, so that two such statements never wait for each other."""
    order = sorted(range(len(movements)), key=lambda place: movements[place].user_id)
    ordered = [movements[place] for place in order]
    values = {
        "ids": [new_id() for _ in ordered],
        "user_ids": [movement.user_id for movement in ordered],
        "types": [movement.type.value for movement in ordered],
        "amounts": [movement.amount for movement in ordered],
        "app_ids": [movement.app_id for movement in ordered],
        "counterparties": [movement.counterparty for movement in ordered],
        "descriptions": [movement.description for movement in ordered],
        "metadata": [None if movement.metadata is None else Jsonb(movement.metadata) for movement in ordered],
        "movement_keys": [movement.movement_key for movement in ordered],
        "idempotency_keys": [movement.idempotency_key for movement in ordered],
        "request_hashes": [movement.request_hash for movement in ordered],
        "now": now,
    }
    rows: list[Any] = [None] * len(ordered)
    for row in store.fetch_all(_APPEND_TOGETHER, values):
        rows[order[row.place - 1]] = row
    return rows


class BulkRefused(Exception):
    """A movement among many could not be written: each must be written alone to find out which."""


def replay(reader: Reader, user_id: UserId, key: ClientKey | None) -> Transaction | None:
    """Find the transaction that was written for a client's key; `None` if there is none, or no key.

    For acts that have to read more than the ledger before they can answer a repeated request.

    Raises:
        KeyReused: the key came before, with another request.
    """
    if key is None:
        return None
    query = select(transactions).where(
        transactions.c.user_id == user_id, transactions.c.movement_key == key.movement_key
    )
    row = reader.first(query)
    if row is None:
        return None
    check_repeated(stored=row.request_hash, repeated=key.request_hash)
    return transaction_of(row)


def get(reader: Reader, transaction_id: UUID) -> Transaction:
    """Read a transaction, which must exist."""
    return transaction_of(reader.run(select(transactions).where(transactions.c.id == transaction_id)).one())


def history(
    reader: Reader,
    user_id: UserId,
    *,
    limit: int,
    offset: int = 0,
    before_seq: int | None = None,
    filters: HistoryFilter = WHOLE_HISTORY,
) -> list[Transaction]:
    """Read a user's transactions, newest first.

    Args:
        before_seq: Only transactions older than this one: for paging through long histories.
    """
    conditions = [transactions.c.user_id == user_id]
    if before_seq is not None:
        conditions.append(transactions.c.seq < before_seq)
    if filters.type is not None:
        conditions.append(transactions.c.type == filters.type.value)
    if filters.app_id is not None:
        conditions.append(transactions.c.app_id == filters.app_id)
    if filters.since is not None:
        conditions.append(transactions.c.created_at >= filters.since)
    if filters.until is not None:
        conditions.append(transactions.c.created_at < filters.until)
    newest_first = select(transactions).where(*conditions).order_by(transactions.c.seq.desc())
    return [transaction_of(row) for row in reader.run(newest_first.limit(limit).offset(offset))]


def _written(movement: Movement, row: Any) -> Transaction:
    return Transaction(
        id=row.id,
        user_id=movement.user_id,
        seq=row.seq,
        type=movement.type,
        status="completed",
        amount=movement.amount,
        balance_before=row.balance_before,
        balance_after=row.balance_after,
        total_earned=row.total_earned,
        total_spent=row.total_spent,
        app_id=movement.app_id,
        counterparty=movement.counterparty,
        description=movement.description,
        metadata=movement.metadata,
        idempotency_key=movement.idempotency_key,
        created_at=row.created_at,
        completed_at=row.created_at,
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
