"""Personal credits: what the signed-in user has, spends and has spent."""

from datetime import UTC, datetime
from typing import Any

from flask import g

from domain.errors import InsufficientCredits, KeyReused
from domain.operations import spending
from domain.rules.ledger import Appended
from domain.units import Credits
from web.answers import Balance, Transaction, Used
from web.http import auth
from web.http.api import Answer, Api
from web.http.idempotency import REPLAYED, client_key
from web.http.lists import bad_cursor, decode, page_of
from web.http.models import Amount, AppId, Description, KeyText, Metadata, Model, Page
from web.http.surroundings import statement

api = Api("credits", auth.user)


class Use(Model):
    """Credits to spend in an app."""

    amount: Amount
    app_id: AppId
    description: Description
    idempotency_key: KeyText | None = None
    metadata: Metadata | None = None


@api.operation("GET", "/credits/balance", answers=Balance)
def balance() -> Balance:
    """Read the balance. A new user has zero."""
    with statement(g.user.id) as store:
        return Balance.model_validate(spending.balance(store, user_id=g.user.id, now=datetime.now(UTC)))


@api.operation("POST", "/credits/use", answers=Used, refusals=[InsufficientCredits, KeyReused], keyed=True)
def use(body: Use) -> Answer:
    """Spend credits."""
    key = client_key("use", body_key=body.idempotency_key, **facts_of(body))
    with statement(g.user.id) as store:
        appended = spending.spend(
            store,
            user_id=g.user.id,
            amount=Credits(body.amount),
            app_id=body.app_id,
            description=body.description,
            metadata=body.metadata,
            key=key,
            now=datetime.now(UTC),
        )
    return used(appended)


def used(appended: Appended) -> Answer:
    """Answer what came of spending, marked when it is the answer of an earlier request."""
    return Answer(body=Used.of(appended), headers=REPLAYED if appended.replayed else {})


def facts_of(body: Model) -> dict[str, Any]:
    """Read what a request asks for, without its key: the facts behind the key."""
    return body.model_dump(exclude={"idempotency_key"}, by_alias=True)


@api.operation("GET", "/credits/transactions", answers=list[Transaction])
def transactions(query: Page) -> Answer:
    """Read the history, newest first."""
    before_seq = None
    if query.cursor is not None:
        told = decode(query.cursor)
        if not (told.isascii() and told.isdigit() and len(told) < 19):  # noqa: PLR2004 - fits a bigint
            raise bad_cursor()
        before_seq = int(told)
    with statement(g.user.id) as store:
        found = spending.history(
            store, user_id=g.user.id, limit=query.limit, offset=query.offset, before_seq=before_seq
        )
    last = str(found[-1].seq) if found else None
    return page_of([Transaction.model_validate(one) for one in found], query, last=last)
