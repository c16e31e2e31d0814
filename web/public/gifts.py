"""Looking a gift up by its code, without a token. Guesses are slowed down."""

from datetime import UTC, datetime

from domain.errors import NotFound
from domain.operations import gifts as acts
from domain.rules.gift_codes import shown
from domain.rules.gifts import GiftStatus, GiftType, status_at
from web.http import auth
from web.http.api import Api
from web.http.gift_guesses import slow_for_guessers
from web.http.models import Instant, Model
from web.http.parts import current_parts
from web.http.problems import TooManyRequests

api = Api("public_gifts", auth.public)


class GiftPage(Model):
    """A gift, as anyone who has its code sees it. Never with an e-mail address."""

    code: str
    type: GiftType
    status: GiftStatus
    total_credits: int
    redeemed: bool
    is_personalized: bool
    message: str | None
    creator_name: str | None
    expires_at: Instant


@api.operation("GET", "/gifts/<ref>", answers=GiftPage, refusals=[NotFound, TooManyRequests])
def look_up_gift(ref: str) -> GiftPage:
    """Look a gift up by its code, typed in any way."""
    with slow_for_guessers(ref), current_parts().database.single() as store:
        found = acts.look_up(store, ref)
    return GiftPage(
        code=shown(found.code),
        type=found.type,
        status=status_at(found, datetime.now(UTC)),
        total_credits=found.total_credits,
        redeemed=bool(found.redeemed),
        is_personalized=found.type is GiftType.PERSONALIZED,
        message=found.message,
        creator_name=found.creator_name,
        expires_at=found.expires_at,
    )
