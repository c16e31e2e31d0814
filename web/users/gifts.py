"""Gifts of the signed-in user: credits with a code, for the user who redeems it."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from flask import g
from pydantic import Field, StringConstraints, model_validator

from domain.errors import (
    GiftCancelled,
    GiftDepleted,
    GiftExpired,
    GiftNotForYou,
    InsufficientCredits,
    KeyReused,
    NotFound,
    OwnGift,
    UserErased,
)
from domain.operations import gifts as gift_acts
from domain.rules.gift_codes import parse_code, shown
from domain.rules.gifts import GIFT_MAX, LIFE, LIFE_MAX, GiftStatus, GiftType, NewGift, public_name, status_at
from domain.rules.gifts import Gift as DomainGift
from domain.rules.gifts import Redemption as DomainRedemption
from domain.store import gifts as gift_rows
from domain.units import Credits
from web.http import auth
from web.http.answer import Answer
from web.http.api import Api
from web.http.gift_guesses import limit_guesses
from web.http.idempotency_header import answer_once, client_key
from web.http.lists import list_own_rows
from web.http.models import CLEANED, AppId, Instant, ListQuery, Model
from web.http.parts import current_parts, transaction
from web.http.problems import BadRequest, TooManyRequests
from web.http.requests import request_id
from web.http.waiting import wait_and_answer
from web.shared.gifts import EmailText

api = Api("users_gifts", auth.user)

_ENDED: Final = (GiftDepleted, GiftExpired, GiftCancelled)


GiftCredits = Annotated[int, Field(ge=1, le=GIFT_MAX)]


class NewGiftBody(Model):
    """A gift to make. Its size is `totalCredits` or `credits`; it ends by `expirationDays` or `expiresAt`."""

    total_credits: GiftCredits | None = None
    credits: GiftCredits | None = None
    type: GiftType | None = Field(default=None, strict=False)
    target_email: EmailText | None = None
    message: Annotated[str, StringConstraints(max_length=500), CLEANED] | None = None
    expiration_days: Annotated[int, Field(ge=1, le=LIFE_MAX.days)] | None = None
    expires_at: Instant | None = None
    source_app_id: AppId | None = None

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.total_credits is None and self.credits is None:
            raise ValueError("totalCredits is missing")
        if self.total_credits is not None and self.credits not in {None, self.total_credits}:
            raise ValueError("totalCredits and credits differ")
        if (self.type is GiftType.PERSONALIZED) != (self.target_email is not None) and self.type is not None:
            raise ValueError("a personalized gift, and no other, has a targetEmail")
        if self.expiration_days is not None and self.expires_at is not None:
            raise ValueError("expirationDays and expiresAt do not come together")
        return self


class Gift(Model):
    """A gift as its creator sees it."""

    id: UUID
    code: str
    short_url: str
    url: str
    creator_id: str
    creator_name: str | None
    total_credits: int
    redeemed: int
    type: GiftType
    status: GiftStatus
    target_email: str | None
    message: str | None
    expires_at: Instant
    created_at: Instant
    updated_at: Instant


class ReceivedGift(Model):
    """A gift that the user has redeemed. `credits` and `creditsReceived` are the same number."""

    id: UUID
    gift_code_id: UUID
    code: str
    credits: int
    credits_received: int
    message: str | None
    creator_name: str | None
    status: Literal["success"]
    source_app_id: str | None
    created_at: Instant
    redeemed_at: Instant


class RedeemGift(Model):
    """The app in which a gift is redeemed."""

    source_app_id: AppId | None = None


class RedeemedGift(Model):
    """A gift's credits are now the user's."""

    success: bool
    credits: int
    credits_received: int
    new_balance: int
    message: str | None
    creator_name: str | None


class CancelledGift(Model):
    """A gift's credits are back with its creator."""

    success: bool = True
    refunded_credits: int


@api.operation(
    "POST", "/gifts", answers=Gift, status=201, refusals=[InsufficientCredits, KeyReused, UserErased], keyed=True
)
def create_gift(body: NewGiftBody) -> Answer:
    """Make a gift. Its credits leave the balance at once."""
    now = datetime.now(UTC)
    key = client_key("gifts", **body.model_dump(mode="json"))
    new = NewGift(
        creator_id=g.user.id,
        creator_name=public_name(g.user.name),
        total_credits=Credits(body.total_credits or body.credits or 0),
        target_email=body.target_email,
        message=body.message,
        source_app_id=body.source_app_id,
        expires_at=_expiry(body, now),
    )
    with transaction(g.user.id) as store:
        created = gift_acts.create_gift(store, new, key=key, now=now)
    return answer_once(_show_gift(created.gift, now=None), replayed=created.replayed, status=201)


@api.operation("GET", "/gifts/me/created", answers=list[Gift])
def list_created_gifts(query: ListQuery) -> Answer:
    """Read the gifts the user has made, newest first."""
    now = datetime.now(UTC)
    return list_own_rows(
        gift_rows.created_by,
        query,
        position=lambda gift: (gift.created_at, gift.id),
        show=lambda gift: _show_gift(gift, now=now),
    )


@api.operation("GET", "/gifts/me/received", answers=list[ReceivedGift])
def list_received_gifts(query: ListQuery) -> Answer:
    """Read the gifts the user has redeemed, newest first."""
    return list_own_rows(
        gift_rows.redeemed_by,
        query,
        position=lambda redemption: (redemption.redeemed_at, redemption.id),
        show=_show_redemption,
    )


@api.operation(
    "POST",
    "/gifts/<ref>/redeem",
    answers=RedeemedGift,
    refusals=[NotFound, OwnGift, GiftNotForYou, *_ENDED, KeyReused, TooManyRequests, UserErased],
    keyed=True,
    queued=True,
)
def redeem_gift(ref: str, body: RedeemGift | None) -> Answer:
    """Redeem a gift by its code. If the same user repeats it, the first answer comes again."""
    source_app_id = body.source_app_id if body else None
    key = client_key("gifts/redeem", code=parse_code(ref), sourceAppId=source_app_id)
    with limit_guesses(ref), transaction(g.user.id) as store:
        recorded = gift_acts.redeem_later(
            store,
            typed=ref,
            user_id=g.user.id,
            email=g.user.email if g.user.email_verified else None,
            source_app_id=source_app_id,
            key=key,
            request_id=request_id(),
        )
    return wait_and_answer(recorded, model=RedeemedGift.model_validate)


@api.operation("DELETE", "/gifts/<ref>", answers=CancelledGift, refusals=[NotFound, *_ENDED, KeyReused], keyed=True)
def cancel_gift(ref: str) -> Answer:
    """Take a gift back, by its id: its credits return to the balance."""
    gift_id = _read_id(ref)
    key = client_key("gifts/cancel", giftId=str(gift_id))
    with transaction(g.user.id) as store:
        cancelled = gift_acts.cancel(store, gift_id=gift_id, creator_id=g.user.id, key=key, now=datetime.now(UTC))
    answer = CancelledGift(refunded_credits=cancelled.refunded_credits)
    return answer_once(answer, replayed=cancelled.replayed)


def _expiry(body: NewGiftBody, now: datetime) -> datetime:
    """Compute when a new gift expires."""
    if body.expires_at is None:
        return now + (timedelta(days=body.expiration_days) if body.expiration_days else LIFE)
    if not now < body.expires_at <= now + LIFE_MAX:
        errors = [{"field": "expiresAt", "message": f"must be within the next {LIFE_MAX.days} days"}]
        raise BadRequest("The body is not valid", errors=errors)
    return body.expires_at


def _read_id(ref: str) -> UUID:
    try:
        return UUID(ref)
    except ValueError:
        raise NotFound("Gift") from None


def _show_gift(gift: DomainGift, *, now: datetime | None) -> Gift:
    """Show a gift to its creator, with its status at `now`, or as it is stored."""
    link = f"{current_parts().settings.base_url}/g/{shown(gift.code)}"
    members: dict[str, Any] = {name: getattr(gift, name) for name in Gift.model_fields if hasattr(gift, name)}
    status = gift.status if now is None else status_at(gift, now)
    return Gift(**members | {"code": shown(gift.code), "short_url": link, "url": link, "status": status})


def _show_redemption(redemption: DomainRedemption) -> ReceivedGift:
    return ReceivedGift(
        id=redemption.id,
        gift_code_id=redemption.gift.id,
        code=shown(redemption.gift.code),
        credits=redemption.credits_received,
        credits_received=redemption.credits_received,
        message=redemption.gift.message,
        creator_name=redemption.gift.creator_name,
        status="success",
        source_app_id=redemption.source_app_id,
        created_at=redemption.redeemed_at,
        redeemed_at=redemption.redeemed_at,
    )
