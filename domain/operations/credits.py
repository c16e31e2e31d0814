"""Credits that users spend and that apps give back."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from domain.ids import new_id
from domain.rules.idempotency import ClientKey, movement_keys
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
    """Describe the movement of credits that a user spends, once per key.

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
        **movement_keys(key, natural=f"once:{new_id()}"),
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
    """Describe the movement of credits that an app gives back, once per key.

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
        **movement_keys(key, natural=f"once:{new_id()}"),
    )


def init(store: Store, *, user_id: UserId, now: datetime) -> BalanceRow:
    """Make sure that a user has a balance, and read it; repeatable."""
    balances.open_balance(store, user_id, now=now)
    return balances.balance_row(store, user_id)
