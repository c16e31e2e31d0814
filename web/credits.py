"""Personal credits: what the signed-in user has, spends and has spent."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Self

from flask import g
from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from domain.errors import InsufficientCredits, KeyReused, OperationNotUsable, PriceDisagrees, UnknownOperation
from domain.operations import spending
from domain.rules.ledger import HistoryFilter, TransactionType
from domain.rules.prices import QUANTITY_MAX, price
from domain.units import Credits, UserId
from web.answers import Balance, Transaction, Used
from web.http import auth
from web.http.api import Answer, Api
from web.http.idempotency import REPLAYED, client_key
from web.http.lists import bad_cursor, decode, page_of
from web.http.models import Amount, AppId, Description, KeyText, Metadata, Model, Page
from web.http.surroundings import append, statement

api = Api("credits", auth.user)

USE_REFUSALS: Final = (InsufficientCredits, KeyReused, UnknownOperation, OperationNotUsable, PriceDisagrees)


class Use(Model):
    """Credits to spend in an app: an `amount`, or the price of `quantity` units of an `operation`."""

    amount: Amount | None = None
    operation: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    quantity: Annotated[int, Field(ge=1, le=QUANTITY_MAX)] | None = None
    app_id: AppId
    description: Description
    idempotency_key: KeyText | None = None
    metadata: Metadata | None = None

    @model_validator(mode="after")
    def _name_a_price(self) -> Self:
        if self.amount is None and self.operation is None:
            raise ValueError("amount or operation is missing")
        if self.quantity is not None and self.operation is None:
            raise ValueError("quantity comes with an operation")
        return self

    @property
    def cost(self) -> Credits:
        """What is to be spent.

        Raises:
            UnknownOperation, OperationNotUsable: the operation has no price here.
            PriceDisagrees: an amount came beside the operation and is not its price.
        """
        amount = Credits(self.amount or 0)
        return amount if self.operation is None else price(self.operation, self.quantity or 1, amount=self.amount)

    @property
    def noted(self) -> dict[str, Any] | None:
        """The metadata for the ledger, with the operation that was paid for."""
        if self.operation is None:
            return self.metadata
        return {**(self.metadata or {}), "operation": self.operation, "quantity": self.quantity or 1}


@api.operation("GET", "/credits/balance", answers=Balance)
def get_balance() -> Balance:
    """Read the balance. A new user has zero."""
    with statement(g.user.id) as store:
        return Balance.model_validate(spending.balance(store, user_id=g.user.id, now=datetime.now(UTC)))


@api.operation("POST", "/credits/use", answers=Used, refusals=USE_REFUSALS, keyed=True)
def use_credits(body: Use) -> Answer:
    """Spend credits."""
    return spend(g.user.id, body, route="use")


def spend(user_id: UserId, body: Use, *, route: str) -> Answer:
    """Spend a user's credits. The answer is marked when it is that of an earlier request with the same key."""
    usage = spending.usage(
        user_id=user_id,
        amount=body.cost,
        app_id=body.app_id,
        description=body.description,
        metadata=body.noted,
        key=client_key(route, body_key=body.idempotency_key, **facts_of(body)),
    )
    appended = append(usage)
    return Answer(body=Used.of(appended), headers=REPLAYED if appended.replayed else {})


def facts_of(body: Model) -> dict[str, Any]:
    """Read what a request asks for, without its key: the facts behind the key."""
    return body.model_dump(exclude={"idempotency_key"}, by_alias=True)


class HistoryQuery(Page):
    """Which transactions: of a type, of an app, from a moment (`from`) to before another (`to`)."""

    type: Annotated[TransactionType | None, Field(strict=False)] = None
    app_id: Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00]*$")] | None = None
    from_: Annotated[AwareDatetime | None, Field(alias="from", strict=False)] = None
    to: Annotated[AwareDatetime | None, Field(strict=False)] = None

    @property
    def wanted(self) -> HistoryFilter:
        """The filter, as the ledger takes it."""
        return HistoryFilter(type=self.type, app_id=self.app_id, since=self.from_, until=self.to)

    @property
    def kept(self) -> dict[str, str]:
        """What of the query the next page has to keep."""
        return self.model_dump(mode="json", exclude={"limit", "offset", "cursor"}, exclude_none=True)


@api.operation("GET", "/credits/transactions", answers=list[Transaction])
def list_transactions(query: HistoryQuery) -> Answer:
    """Read the history, newest first."""
    before_seq = None
    if query.cursor is not None:
        told = decode(query.cursor)
        if not (told.isascii() and told.isdigit() and len(told) < 19):  # noqa: PLR2004 - fits a bigint
            raise bad_cursor()
        before_seq = int(told)
    with statement(g.user.id) as store:
        found = spending.history(
            store,
            user_id=g.user.id,
            limit=query.limit,
            offset=query.offset,
            before_seq=before_seq,
            wanted=query.wanted,
        )
    last = str(found[-1].seq) if found else None
    return page_of([Transaction.model_validate(one) for one in found], query, last=last, filters=query.kept)
