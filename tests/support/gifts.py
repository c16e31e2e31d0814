"""Gifts: making, redeeming and cancelling them."""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from domain.operations import gifts as gift_acts
from domain.rules.gifts import Gift, NewGift
from domain.rules.idempotency import ClientKey
from domain.store import Database
from domain.store import gifts as gift_rows
from domain.units import Credits, UserId
from tests.support.times import now
from tests.support.users import ANNA, BEN

TARGET: Final = "Friend@X.de"


def gift_of(database: Database, gift_id: UUID) -> Gift:
    """Read a gift as it is now."""
    with database.single() as store:
        gift = gift_rows.by_id(store, gift_id)
    assert gift is not None
    return gift


def make_gift(
    database: Database,
    *,
    size: int = 10,
    key: ClientKey | None = None,
    at: datetime | None = None,
    life: timedelta = timedelta(days=1),
    target_email: str | None = None,
    creator_id: UserId = ANNA,
) -> gift_acts.Created:
    """Make a gift of Anna's, or of another creator."""
    made_at = at or now()
    new = NewGift(
        creator_id=creator_id,
        creator_name="Anna",
        total_credits=Credits(size),
        target_email=target_email,
        message="For you",
        source_app_id=None,
        expires_at=made_at + life,
    )
    with database.begin() as store:
        return gift_acts.create_gift(store, new, key=key, now=made_at)


def redeem(database: Database, gift: Gift, user_id: UserId = BEN, *, at: datetime | None = None) -> Any:
    """Redeem a gift."""
    with database.begin() as store:
        return gift_acts.redeem(store, gift_id=gift.id, user_id=user_id, source_app_id=None, now=at or now())


def cancel(database: Database, gift: Gift, *, key: ClientKey | None = None, by: UserId = ANNA) -> gift_acts.Cancelled:
    """Cancel a gift."""
    with database.begin() as store:
        return gift_acts.cancel(store, gift_id=gift.id, creator_id=by, key=key, now=now())
