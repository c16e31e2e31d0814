"""Credits that users spend and that apps give back."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from domain.ids import new_id
from domain.rules.idempotency import ClientKey
from domain.rules.ledger import (
    BalanceRow,
    Movement,
    TransactionType,
)
from domain.store import Store, balances
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


def init(store: Store, *, user_id: UserId, now: datetime) -> BalanceRow:
    """Make sure that a user has a balance, and read it; repeatable."""
    balances.open_balance(store, user_id, now=now)
    return balances.balance_row(store, user_id)


def _keyed(key: ClientKey | None) -> dict[str, Any]:
    """Give a movement its keys: the client's, or one that never comes again."""
    if key is None:
        return {"movement_key": f"once:{new_id()}"}
    return {"movement_key": key.movement_key, "idempotency_key": key.value, "request_hash": key.request_hash}
