"""Grants, holds, gifts and usage for other services, behind their key."""

from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from domain.errors import HoldEnded, HoldExceeded, HoldExpired, InsufficientCredits, KeyReused, NotFound
from domain.operations import gifts, grants, holds
from domain.rules.holds import LIFE, LIFE_MAX
from domain.units import Credits, UserId
from web.gifts import EmailText
from web.http import auth
from web.http.api import Answer, Api
from web.http.idempotency import REPLAYED, client_key
from web.http.models import Amount, Description, Model, UserIdText
from web.http.requests import request_id
from web.http.surroundings import statement, surroundings, transaction
from web.http.waiting import answer_of
from web.usage import UsageAnswer, UsageQuery, usage_answer

api = Api("internal_holds", auth.service, prefix="/api/v1/internal")


class Grant(Model):
    """Credits to give a user, once for `referenceId`."""

    user_id: UserIdText
    amount: Amount
    reason: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    reference_id: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    description: Description | None = None


class Granted(Model):
    """Credits were given, now or (`alreadyGranted`) by an earlier request."""

    ok: bool = True
    already_granted: bool
    new_balance: int
    transaction_id: UUID


class Reserve(Model):
    """Credits to set aside. Without an end they go back after 24 hours."""

    user_id: UserIdText
    amount: Amount
    reason: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    expires_in_seconds: Annotated[int, Field(ge=1, le=int(LIFE_MAX.total_seconds()))] | None = None


class Reserved(Model):
    """Credits are set aside; `balance` is what is left."""

    reservation_id: UUID
    balance: int


class Commit(Model):
    """Reserved credits to pay with: `amount` of them, or all."""

    reservation_id: UUID
    description: Description | None = None
    amount: Amount | None = None


class Committed(Model):
    """Reserved credits were spent, by this transaction."""

    success: bool = True
    transaction_id: UUID


class RefundReservation(Model):
    """A reservation to give up."""

    reservation_id: UUID


class RefundedReservation(Model):
    """Reserved credits are back."""

    success: bool = True
    balance: int


class RedeemPending(Model):
    """A user who has just proved to own an e-mail address."""

    user_id: UserIdText
    email: EmailText


class RedeemedPending(Model):
    """The gifts that waited for the address are the user's now."""

    redeemed: int
    total_credits: int


@api.operation("POST", "/credits/grant", answers=Granted, refusals=[KeyReused])
def grant_credits(body: Grant) -> Answer:
    """Give a user credits, once per user and `referenceId`. Another amount for the same reference is refused."""
    user_id = UserId(body.user_id)
    with statement(user_id) as store:
        granted = grants.grant(
            store,
            user_id=user_id,
            amount=Credits(body.amount),
            reason=body.reason,
            reference_id=body.reference_id,
            description=body.description,
            now=datetime.now(UTC),
        )
    told = Granted(
        already_granted=granted.replayed,
        new_balance=granted.balance.balance,
        transaction_id=granted.transaction.id,
    )
    return Answer(body=told, headers=REPLAYED if granted.replayed else {})


@api.operation("POST", "/credits/reserve", answers=Reserved, refusals=[InsufficientCredits, KeyReused], keyed=True)
def reserve_credits(body: Reserve) -> Answer:
    """Set a user's credits aside."""
    key = client_key("internal/reserve", **body.model_dump(mode="json"))
    user_id, now = UserId(body.user_id), datetime.now(UTC)
    life = LIFE if body.expires_in_seconds is None else timedelta(seconds=body.expires_in_seconds)
    with transaction(user_id) as store:
        hold_id, held = holds.reserve(
            store,
            user_id=user_id,
            amount=Credits(body.amount),
            reason=body.reason,
            expires_at=now + life,
            key=key,
            now=now,
        )
    told = Reserved(reservation_id=hold_id, balance=held.balance.balance)
    return Answer(body=told, headers=REPLAYED if held.replayed else {})


@api.operation(
    "POST",
    "/credits/commit",
    answers=Committed,
    refusals=[NotFound, HoldEnded, HoldExpired, HoldExceeded, InsufficientCredits, KeyReused],
    keyed=True,
)
def commit_reservation(body: Commit) -> Answer:
    """Spend reserved credits; the rest of a partial commit returns to the user."""
    key = client_key("internal/commit", **body.model_dump(mode="json"))
    with transaction(_owner_of(body.reservation_id)) as store:
        spent = holds.commit_hold(
            store,
            hold_id=body.reservation_id,
            amount=None if body.amount is None else Credits(body.amount),
            description=body.description,
            key=key,
            now=datetime.now(UTC),
        )
    return Answer(body=Committed(transaction_id=spent.transaction.id), headers=REPLAYED if spent.replayed else {})


@api.operation(
    "POST",
    "/credits/refund-reservation",
    answers=RefundedReservation,
    refusals=[NotFound, HoldEnded, HoldExpired, KeyReused],
    keyed=True,
)
def refund_reservation(body: RefundReservation) -> Answer:
    """Give reserved credits back to the user."""
    key = client_key("internal/refund-reservation", **body.model_dump(mode="json"))
    with transaction(_owner_of(body.reservation_id)) as store:
        released = holds.release(store, hold_id=body.reservation_id, key=key, now=datetime.now(UTC))
    told = RefundedReservation(balance=released.balance.balance)
    return Answer(body=told, headers=REPLAYED if released.replayed else {})


@api.operation("POST", "/gifts/redeem-pending", answers=RedeemedPending, refusals=[KeyReused], keyed=True, queued=True)
def redeem_pending_gifts(body: RedeemPending) -> Answer:
    """Redeem all gifts that wait for a user's e-mail address."""
    key = client_key("internal/redeem-pending", **body.model_dump(mode="json"))
    user_id = UserId(body.user_id)
    with transaction(user_id) as store:
        recorded = gifts.redeem_pending_later(
            store, user_id=user_id, email=body.email, key=key, request_id=request_id(), now=datetime.now(UTC)
        )
    return answer_of(recorded, model=lambda result: RedeemedPending.model_validate(dict(result)))


@api.operation("GET", "/credits/usage/<user_id:user_id>", answers=UsageAnswer)
def get_usage_of_user(user_id: UserId, query: UsageQuery) -> UsageAnswer:
    """Read what a user spent per app or UTC day."""
    return usage_answer(user_id, query)


def _owner_of(hold_id: UUID) -> UserId:
    """Find whose turn a hold's act takes, before its transaction begins."""
    with surroundings().database.single() as store:
        return holds.owner_of(store, hold_id=hold_id)
