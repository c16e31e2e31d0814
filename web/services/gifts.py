"""Gifts for an e-mail address, redeemed when a user has proved to own the address."""

from datetime import UTC, datetime

from domain.errors import KeyReused, UserErased
from domain.operations import gifts as gift_acts
from domain.units import UserId
from web.http import auth
from web.http.answer import Answer
from web.http.api import Api
from web.http.idempotency_header import client_key
from web.http.models import Model, UserIdText
from web.http.parts import transaction
from web.http.requests import request_id
from web.http.waiting import wait_and_answer
from web.shared.gifts import EmailText

api = Api("services_gifts", auth.service, prefix="/api/v1/internal")


class RedeemPending(Model):
    """A user who has just proved to own an e-mail address."""

    user_id: UserIdText
    email: EmailText


class RedeemedPending(Model):
    """How many gifts were redeemed, and how many credits they gave the user."""

    redeemed: int
    total_credits: int


@api.operation(
    "POST", "/gifts/redeem-pending", answers=RedeemedPending, refusals=[KeyReused, UserErased], keyed=True, queued=True
)
def redeem_pending_gifts(body: RedeemPending) -> Answer:
    """Redeem all gifts that wait for a user's e-mail address."""
    key = client_key("internal/redeem-pending", **body.model_dump(mode="json"))
    user_id = UserId(body.user_id)
    with transaction(user_id) as store:
        recorded = gift_acts.redeem_pending_later(
            store, user_id=user_id, email=body.email, key=key, request_id=request_id(), now=datetime.now(UTC)
        )
    return wait_and_answer(recorded, model=RedeemedPending.model_validate)
