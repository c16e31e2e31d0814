"""Credits, for users and services: spending them, and the models of balance and transaction."""

from typing import Annotated, Any, Final, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator
from pydantic.json_schema import SkipJsonSchema

from domain.errors import (
    InsufficientCredits,
    KeyReused,
    OperationNotUsable,
    PriceDisagrees,
    UnknownOperation,
    UserErased,
)
from domain.operations import credits as credit_acts
from domain.rules.ledger import Appended
from domain.rules.prices import QUANTITY_MAX, price
from domain.units import Credits, UserId
from web.http.answer import Answer
from web.http.idempotency_header import answer_once, client_key
from web.http.models import (
    UNSENT,
    VISIBLE,
    Amount,
    AppId,
    Description,
    Instant,
    JsonObject,
    KeyText,
    Metadata,
    Model,
)
from web.http.parts import append

USE_REFUSALS: Final = (
    InsufficientCredits,
    KeyReused,
    UnknownOperation,
    OperationNotUsable,
    PriceDisagrees,
    UserErased,
)


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
    """Credits were spent. `message` is there if an earlier request with the same key did it."""

    success: bool = True
    transaction: Transaction
    new_balance: Balance
    message: Annotated[str | SkipJsonSchema[None], UNSENT] = None

    @classmethod
    def from_appended(cls, appended: Appended) -> Self:
        """Show a ledger row and the balance after it."""
        return cls(
            transaction=Transaction.model_validate(appended.transaction),
            new_balance=Balance.model_validate(appended.balance),
            message="Transaction already processed" if appended.replayed else None,
        )


class Use(Model):
    """Credits to spend in an app: an `amount`, or the price of `quantity` units of an `operation`."""

    amount: Amount | None = None
    operation: Annotated[str, StringConstraints(min_length=1, max_length=64), VISIBLE] | None = None
    quantity: Annotated[int, Field(ge=1, le=QUANTITY_MAX)] | None = None
    app_id: AppId
    description: Description
    idempotency_key: KeyText | None = None
    metadata: Metadata | None = None

    @model_validator(mode="after")
    def _require_price(self) -> Self:
        if self.amount is None and self.operation is None:
            raise ValueError("amount or operation is missing")
        if self.quantity is not None and self.operation is None:
            raise ValueError("quantity comes with an operation")
        return self

    @property
    def cost(self) -> Credits:
        """The credits to spend.

        Raises:
            UnknownOperation, OperationNotUsable: the operation has no price here.
            PriceDisagrees: the body has an amount too, and it is not the price of the operation.
        """
        amount = Credits(self.amount or 0)
        return amount if self.operation is None else price(self.operation, self.quantity or 1, amount=self.amount)

    @property
    def ledger_metadata(self) -> dict[str, Any] | None:
        """The metadata for the ledger, with the operation that is paid for."""
        if self.operation is None:
            return self.metadata
        return {**(self.metadata or {}), "operation": self.operation, "quantity": self.quantity or 1}


def spend(user_id: UserId, body: Use, *, route: str) -> Answer:
    """Spend a user's credits. The answer is marked if an earlier request with the same key did it."""
    usage = credit_acts.usage(
        user_id=user_id,
        amount=body.cost,
        app_id=body.app_id,
        description=body.description,
        metadata=body.ledger_metadata,
        key=client_key(route, body_key=body.idempotency_key, **request_facts(body)),
    )
    appended = append(usage)
    return answer_once(Used.from_appended(appended), replayed=appended.replayed)


def request_facts(body: Model) -> dict[str, Any]:
    """Return what a request asks for, without its key: the facts that the key stands for."""
    return body.model_dump(exclude={"idempotency_key"}, by_alias=True)
