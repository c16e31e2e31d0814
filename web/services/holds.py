"""Holds, which the API calls reservations: credits set aside for work whose price is not known yet."""

from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from domain.errors import HoldEnded, HoldExceeded, HoldExpired, InsufficientCredits, KeyReused, NotFound, UserErased
from domain.operations import holds as hold_acts
from domain.rules.holds import LIFE, LIFE_MAX
from domain.store import holds as hold_rows
from domain.units import Credits, UserId
from web.http import auth
from web.http.answer import Answer
from web.http.api import Api
from web.http.idempotency_header import answer_once, client_key
from web.http.models import CLEANED, Amount, Description, Model, UserIdText
from web.http.parts import current_parts, transaction

api = Api("services_holds", auth.service, prefix="/api/v1/internal")


class Reserve(Model):
    """Credits to set aside. Without `expiresInSeconds` they go back after 24 hours."""

    user_id: UserIdText
    amount: Amount
    reason: Annotated[str, StringConstraints(min_length=1, max_length=200), CLEANED]
    expires_in_seconds: Annotated[int, Field(ge=1, le=int(LIFE_MAX.total_seconds()))] | None = None


class Reserved(Model):
    """Credits are set aside; `balance` is what the user can still spend."""

    reservation_id: UUID
    balance: int


class Commit(Model):
    """Reserved credits to spend: `amount` of them, or all."""

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
    """Reserved credits are back in the balance."""

    success: bool = True
    balance: int


@api.operation(
    "POST", "/credits/reserve", answers=Reserved, refusals=[InsufficientCredits, KeyReused, UserErased], keyed=True
)
def reserve_credits(body: Reserve) -> Answer:
    """Set a user's credits aside."""
    key = client_key("internal/reserve", **body.model_dump(mode="json"))
    user_id, now = UserId(body.user_id), datetime.now(UTC)
    life = LIFE if body.expires_in_seconds is None else timedelta(seconds=body.expires_in_seconds)
    with transaction(user_id) as store:
        hold_id, held = hold_acts.reserve(
            store,
            user_id=user_id,
            amount=Credits(body.amount),
            reason=body.reason,
            expires_at=now + life,
            key=key,
            now=now,
        )
    answer = Reserved(reservation_id=hold_id, balance=held.balance.balance)
    return answer_once(answer, replayed=held.replayed)


@api.operation(
    "POST",
    "/credits/commit",
    answers=Committed,
    refusals=[NotFound, HoldEnded, HoldExpired, HoldExceeded, InsufficientCredits, KeyReused, UserErased],
    keyed=True,
)
def commit_reservation(body: Commit) -> Answer:
    """Spend reserved credits; the rest of a partial commit returns to the user."""
    key = client_key("internal/commit", **body.model_dump(mode="json"))
    with transaction(_owner_of(body.reservation_id)) as store:
        spent = hold_acts.commit_hold(
            store,
            hold_id=body.reservation_id,
            amount=None if body.amount is None else Credits(body.amount),
            description=body.description,
            key=key,
            now=datetime.now(UTC),
        )
    return answer_once(Committed(transaction_id=spent.transaction.id), replayed=spent.replayed)


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
        released = hold_acts.release(store, hold_id=body.reservation_id, key=key, now=datetime.now(UTC))
    answer = RefundedReservation(balance=released.balance.balance)
    return answer_once(answer, replayed=released.replayed)


def _owner_of(hold_id: UUID) -> UserId:
    """Read whose hold it is: the transaction takes a turn of that user."""
    with current_parts().database.read() as reader:
        return hold_rows.owner_of(reader, hold_id)
