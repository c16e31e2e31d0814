"""The objects that several routes answer with."""

from typing import Annotated, Self
from uuid import UUID

from pydantic.json_schema import SkipJsonSchema

from domain.rules.ledger import Appended
from web.http.models import UNSENT, Instant, JsonObject, Model


class Balance(Model):
    """What a user has, in credits."""

    balance: int
    total_earned: int
    total_spent: int


class Transaction(Model):
    """A movement of credits. `amount` is signed: positive to the user."""

    id: UUID
    user_id: str
    type: str
    status: str
    amount: int
    balance_before: int
    balance_after: int
    app_id: str
    description: str
    metadata: JsonObject | None
    idempotency_key: str | None
    created_at: Instant
    completed_at: Instant | None


class Used(Model):
    """Credits were spent. `message` is there when an earlier request with the same key had done it."""

    success: bool = True
    transaction: Transaction
    new_balance: Balance
    message: Annotated[str | SkipJsonSchema[None], UNSENT] = None

    @classmethod
    def of(cls, appended: Appended) -> Self:
        """Tell what came of spending."""
        return cls(
            transaction=Transaction.model_validate(appended.transaction),
            new_balance=Balance.model_validate(appended.balance),
            message="Transaction already processed" if appended.replayed else None,
        )
