"""Movements of credits, and the transactions and balances they lead to."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from domain.units import Credits, UserId


class TransactionType(StrEnum):
    """Why credits moved."""

    PURCHASE = "purchase"
    USAGE = "usage"
    REFUND = "refund"
    GIFT = "gift"
    GRANT = "grant"
    HOLD = "hold"
    RELEASE = "release"
    CLAWBACK = "clawback"
    RESTORE = "restore"


@dataclass(frozen=True, kw_only=True)
class Balance:
    """What a user has. `total_earned` and `total_spent` leave holds and their releases out."""

    balance: Credits
    total_earned: Credits
    total_spent: Credits


@dataclass(frozen=True, kw_only=True)
class BalanceRow(Balance):
    """A user's balance, with whose it is and since when."""

    user_id: UserId
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True)
class HistoryFilter:
    """Which transactions of a history to read: those that match every member that is set.

    Attributes:
        since: Aware; the first moment.
        until: Aware; the moment behind the last one.
    """

    type: TransactionType | None = None
    app_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


WHOLE_HISTORY: Final = HistoryFilter()


@dataclass(frozen=True, kw_only=True)
class Movement:
    """A change to one balance, as it is requested.

    Attributes:
        amount: Credits, signed: positive to the user, negative from the user, never zero.
        counterparty: Where the credits come from or go to: `stripe:<purchase>`, `app:<id>`, `sync`, `gift:<id>` …
        movement_key: Unique per user for ever. The same key moves credits once.
        idempotency_key: The client's own key, as the client may read it back.
        request_hash: Fingerprint of the request behind a client's key: the same key must bring the same request.
    """

    user_id: UserId
    type: TransactionType
    amount: int
    app_id: str
    counterparty: str
    description: str
    movement_key: str
    metadata: Mapping[str, Any] | None = None
    idempotency_key: str | None = None
    request_hash: bytes | None = None


@dataclass(frozen=True, kw_only=True)
class Transaction:
    """A row of the ledger: a movement that happened.

    Attributes:
        seq: Position in the user's ledger, from 1, without gaps.
        total_earned: The user's total after this row.
        total_spent: The user's total after this row.
    """

    id: UUID
    user_id: UserId
    seq: int
    type: TransactionType
    status: str
    amount: int
    balance_before: int
    balance_after: int
    total_earned: int
    total_spent: int
    app_id: str
    counterparty: str
    description: str
    metadata: Mapping[str, Any] | None
    idempotency_key: str | None
    created_at: datetime
    completed_at: datetime


@dataclass(frozen=True, kw_only=True)
class Appended:
    """The transaction of a movement; `replayed` if an earlier call had written it already."""

    transaction: Transaction
    replayed: bool

    @property
    def balance(self) -> Balance:
        """The balance right after this transaction, also when it is replayed years later."""
        transaction = self.transaction
        return Balance(
            balance=Credits(transaction.balance_after),
            total_earned=Credits(transaction.total_earned),
            total_spent=Credits(transaction.total_spent),
        )
