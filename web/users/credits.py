"""Personal credits: what the signed-in user has, spends and has spent."""

from typing import Annotated

from flask import g
from pydantic import AwareDatetime, Field, StringConstraints

from domain.rules.ledger import HistoryFilter, TransactionType
from domain.store import balances, ledger
from web.http import auth
from web.http.answer import Answer
from web.http.api import Api
from web.http.lists import bad_cursor, decode, page_of
from web.http.models import Page
from web.http.parts import reading
from web.shared.credits import USE_REFUSALS, Balance, Transaction, Use, Used, spend

api = Api("users_credits", auth.user)


@api.operation("GET", "/credits/balance", answers=Balance)
def get_balance() -> Balance:
    """Read the balance. A new user has zero."""
    with reading(g.user.id) as reader:
        return Balance.model_validate(balances.balance_of(reader, g.user.id))


@api.operation("POST", "/credits/use", answers=Used, refusals=USE_REFUSALS, keyed=True)
def use_credits(body: Use) -> Answer:
    """Spend credits."""
    return spend(g.user.id, body, route="use")


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
    with reading(g.user.id) as reader:
        transactions = ledger.history(
            reader,
            g.user.id,
            limit=query.limit,
            offset=query.offset,
            before_seq=before_seq,
            filters=query.wanted,
        )
    last = str(transactions[-1].seq) if transactions else None
    return page_of(
        [Transaction.model_validate(transaction) for transaction in transactions], query, last=last, filters=query.kept
    )
