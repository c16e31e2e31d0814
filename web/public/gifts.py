"""Looking up a gift by its code, without a token. Guesses are limited."""

from datetime import UTC, datetime

from domain.errors import NotFound
from domain.rules.gift_codes import shown
from domain.rules.gifts import GiftStatus, GiftType, status_at
from domain.store import gifts as gift_rows
from web.http import auth
from web.http.api import Api
from web.http.gift_guesses import limit_guesses
from web.http.models import Instant, Model
from web.http.parts import current_parts
from web.http.problems import TooManyRequests

api = Api("public_gifts", auth.public)


class GiftPage(Model):
    """A gift as anyone who has its code sees it. It contains no e-mail address."""

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
    """Look up a gift by its code. Case, spaces and dashes do not matter."""
    auth.note_user()
    with limit_guesses(ref), current_parts().database.read() as reader:
        gift = gift_rows.get_by_code(reader, ref)
    return GiftPage(
        code=shown(gift.code),
        type=gift.type,
        status=status_at(gift, datetime.now(UTC)),
        total_credits=gift.total_credits,
        redeemed=bool(gift.redeemed),
        is_personalized=gift.type is GiftType.PERSONALIZED,
        message=gift.message,
        creator_name=gift.creator_name,
        expires_at=gift.expires_at,
    )
