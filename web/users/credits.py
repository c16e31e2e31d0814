"""Personal credits: what the signed-in user has, spends and has spent."""

from datetime import UTC, datetime
from typing import Annotated

from flask import g
from pydantic import AwareDatetime, Field, StringConstraints

from domain.operations import spending
from domain.rules.ledger import HistoryFilter, TransactionType
from web.http import auth
from web.http.answer import Answer
from web.http.api import Api
from web.http.lists import bad_cursor, decode, page_of
from web.http.models import Page
from web.http.parts import statement
from web.shared.credits import USE_REFUSALS, Balance, Transaction, Use, Used, spend

api = Api("users_credits", auth.user)


@api.operation("GET", "/credits/balance", answers=Balance)
def get_balance() -> Balance:
    """Read the balance. A new user has zero."""
    with statement(g.user.id) as store:
        return Balance.model_validate(spending.balance(store, user_id=g.user.id, now=datetime.now(UTC)))


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
