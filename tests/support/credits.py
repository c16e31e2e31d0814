"""Credits of users: giving, spending and reading them."""

from typing import Any
from uuid import uuid4

from domain.operations import credits as credit_acts
from domain.rules.idempotency import ClientKey, fingerprint
from domain.rules.ledger import Movement, TransactionType
from domain.store import Database, balances, ledger
from domain.units import Credits, UserId
from tests.support.times import NOW
from tests.support.users import ANNA


def give(database: Database, user_id: str, amount: int) -> None:
    """Give a user credits to begin with."""
    movement = Movement(
        user_id=UserId(user_id),
        type=TransactionType.GRANT,
        amount=amount,
        app_id="test",
        counterparty="test:seed",
        description="To begin with",
        movement_key=f"seed:{uuid4()}",
    )
    with database.begin() as store:
        ledger.append(store, movement, now=NOW)


def use_of(
    user_id: str,
    amount: int = 1,
    *,
    app_id: str = "chat",
    description: str = "A question",
    metadata: dict[str, Any] | None = None,
    key: ClientKey | None = None,
) -> Movement:
    """Build a movement with which a user spends credits."""
    return credit_acts.usage(
        user_id=UserId(user_id),
        amount=Credits(amount),
        app_id=app_id,
        description=description,
        metadata=metadata,
        key=key,
    )


def use_key(value: str, amount: int, route: str = "use") -> ClientKey:
    """Build the key of a request that spends an amount."""
    return ClientKey(route=route, value=value, request_hash=fingerprint(amount=amount))


def balance(database: Database, user_id: UserId = ANNA) -> tuple[int, int, int]:
    """Read a user's balance, and what was earned and spent in total."""
    with database.single() as store:
        totals = balances.balance_of(store, user_id)
    return totals.balance, totals.total_earned, totals.total_spent
