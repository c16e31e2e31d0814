"""Credits of the signed-in user: balance, spending, history."""

from typing import Annotated

from flask import g
from pydantic import AfterValidator, Field, StringConstraints

from domain.rules.ledger import HistoryFilter, TransactionType
from domain.rules.texts import check_storable
from domain.store import balances, ledger
from web.http import auth
from web.http.answer import Answer
from web.http.api import Api
from web.http.lists import answer_page, bad_cursor, decode_cursor
from web.http.models import ExactInstant, ListQuery
from web.http.parts import reading
from web.shared.credits import USE_REFUSALS, Balance, Transaction, Use, Used, spend

api = Api("users_credits", auth.user)


@api.operation("GET", "/credits/balance", answers=Balance)
def get_balance() -> Balance:
    """Read the balance. It is zero for a new user."""
    with reading(g.user.id) as reader:
        return Balance.model_validate(balances.balance_of(reader, g.user.id))


@api.operation("POST", "/credits/use", answers=Used, refusals=USE_REFUSALS, keyed=True)
def use_credits(body: Use) -> Answer:
    """Spend credits."""
    return spend(g.user.id, body, route="use")


class HistoryQuery(ListQuery):
    """Which transactions: of a type, of an app, from a moment (`from`) to before another (`to`)."""

    type: Annotated[TransactionType | None, Field(strict=False)] = None
    app_id: Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(check_storable)] | None = None
    from_: Annotated[ExactInstant | None, Field(alias="from")] = None
    to: ExactInstant | None = None

    @property
    def history_filter(self) -> HistoryFilter:
        """The filter of the ledger."""
        return HistoryFilter(type=self.type, app_id=self.app_id, since=self.from_, until=self.to)

    @property
    def filters(self) -> dict[str, str]:
        """The members of the query that the next page must keep."""
        return self.model_dump(mode="json", exclude={"limit", "offset", "cursor"}, exclude_none=True)


@api.operation("GET", "/credits/transactions", answers=list[Transaction])
def list_transactions(query: HistoryQuery) -> Answer:
    """Read the history, newest first."""
    before_seq = None if query.cursor is None else _read_seq(query.cursor)
    with reading(g.user.id) as reader:
        transactions = ledger.history(
            reader,
            g.user.id,
            limit=query.limit,
            offset=query.offset,
            before_seq=before_seq,
            filters=query.history_filter,
        )
    last = str(transactions[-1].seq) if transactions else None
    items = [Transaction.model_validate(transaction) for transaction in transactions]
    return answer_page(items, query, last=last, filters=query.filters)


def _read_seq(cursor: str) -> int:
    digits = decode_cursor(cursor)
    if not (digits.isascii() and digits.isdigit() and len(digits) < 19):  # noqa: PLR2004 - fits a bigint
        raise bad_cursor()
    return int(digits)
