"""Spending and returning credits, and reading what a user has."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from domain.ids import new_id
from domain.rules.idempotency import ClientKey
from domain.rules.ledger import (
    WHOLE_HISTORY,
    Balance,
    BalanceRow,
    HistoryFilter,
    Movement,
    Transaction,
    TransactionType,
)
from domain.store import Store, ledger
from domain.units import Credits, UserId


def usage(
    *,
    user_id: UserId,
    amount: Credits,
    app_id: str,
    description: str,
    metadata: Mapping[str, Any] | None,
    key: ClientKey | None,
) -> Movement:
    """Tell how credits move that a user spends, once per key.

    Args:
        amount: Credits to take, 1 to `AMOUNT_MAX`.
        app_id: The app they are spent in.
    """
    return Movement(
        user_id=user_id,
        type=TransactionType.USAGE,
        amount=-amount,
        app_id=app_id,
        counterparty=f"app:{app_id}",
        description=description,
        metadata=metadata,
        **_keyed(key),
    )


def refund(
    *,
    user_id: UserId,
    amount: Credits,
    app_id: str,
    description: str,
    metadata: Mapping[str, Any] | None,
    key: ClientKey | None,
) -> Movement:
    """Tell how credits move that an app gives back, once per key.

    Args:
        amount: Credits to give, 1 to `AMOUNT_MAX`.
    """
    return Movement(
        user_id=user_id,
        type=TransactionType.REFUND,
        amount=amount,
        app_id=app_id,
        counterparty=f"app:{app_id}",
        description=description,
        metadata=metadata,
        **_keyed(key),
    )


def balance(store: Store, *, user_id: UserId, now: datetime) -> Balance:
    """Read a user's balance. An unknown user gets one of zero."""
    return ledger.balance_of(store, user_id, now=now)


def init(store: Store, *, user_id: UserId, now: datetime) -> BalanceRow:
    """Make sure that a user has a balance, and read it; repeatable."""
    ledger.open_balance(store, user_id, now=now)
    return ledger.balance_row(store, user_id)


def history(
    store: Store,
    *,
    user_id: UserId,
    limit: int,
    offset: int = 0,
    before_seq: int | None = None,
    wanted: HistoryFilter = WHOLE_HISTORY,
) -> list[Transaction]:
    """Read a user's transactions, newest first; `before_seq` continues behind a transaction already seen."""
    return ledger.history(store, user_id, limit=limit, offset=offset, before_seq=before_seq, wanted=wanted)


def _keyed(key: ClientKey | None) -> dict[str, Any]:
    """Give a movement its keys: the client's, or one that never comes again."""
    if key is None:
        return {"movement_key": f"once:{new_id()}"}
    return {"movement_key": key.movement_key, "idempotency_key": key.value, "request_hash": key.request_hash}
