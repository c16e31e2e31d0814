"""Grants: credits that a service gives away, once per user and reference."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from pydantic import StringConstraints

from domain.errors import KeyReused, UserErased
from domain.operations import grants as grant_acts
from domain.units import Credits, UserId
from web.http import auth
from web.http.answer import Answer
from web.http.api import Api
from web.http.idempotency_header import answer_once
from web.http.models import CLEANED, VISIBLE, Amount, Description, Model, UserIdText
from web.http.parts import statement

api = Api("services_grants", auth.service, prefix="/api/v1/internal")


class Grant(Model):
    """Credits to give a user, once for `referenceId`."""

    user_id: UserIdText
    amount: Amount
    reason: Annotated[str, StringConstraints(min_length=1, max_length=64), CLEANED]
    reference_id: Annotated[str, StringConstraints(min_length=1, max_length=128), VISIBLE]
    description: Description | None = None


class Granted(Model):
    """Credits were given, by this request or (`alreadyGranted`) by an earlier one."""

    ok: bool = True
    already_granted: bool
    new_balance: int
    transaction_id: UUID


@api.operation("POST", "/credits/grant", answers=Granted, refusals=[KeyReused, UserErased])
def grant_credits(body: Grant) -> Answer:
    """Give a user credits, once per user and `referenceId`. Another amount for the same reference is refused."""
    user_id = UserId(body.user_id)
    with statement(user_id) as store:
        granted = grant_acts.grant(
            store,
            user_id=user_id,
            amount=Credits(body.amount),
            reason=body.reason,
            reference_id=body.reference_id,
            description=body.description,
            now=datetime.now(UTC),
        )
    answer = Granted(
        already_granted=granted.replayed,
        new_balance=granted.balance.balance,
        transaction_id=granted.transaction.id,
    )
    return answer_once(answer, replayed=granted.replayed)
