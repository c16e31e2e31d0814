"""Gifts: credits that leave their creator's balance now, for the user who redeems the gift's code."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from domain.errors import GiftCancelled, GiftDepleted, GiftExpired, OwnGift
from domain.units import Credits, UserId

GIFT_MAX: Final = Credits(10_000)
LIFE: Final = timedelta(days=90)
"""How long a gift can be redeemed when its creator does not say."""

LIFE_MAX: Final = timedelta(days=365)
NAME_MAX: Final = 100


class GiftType(StrEnum):
    """Who may redeem a gift: whoever has the code, or only the owner of one e-mail address."""

    SIMPLE = "simple"
    PERSONALIZED = "personalized"


class GiftStatus(StrEnum):
    """Where a gift is. It leaves `active` once and never comes back."""

    ACTIVE = "active"
    DEPLETED = "depleted"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"


@dataclass(frozen=True, kw_only=True)
class NewGift:
    """A gift as its creator wants it.

    Attributes:
        target_email: Who alone may redeem it; `None` for everyone.
        expires_at: Aware UTC time from which nobody can redeem it.
    """

    creator_id: UserId
    creator_name: str | None
    total_credits: Credits
    target_email: str | None
    message: str | None
    source_app_id: str | None
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class Gift:
    """A gift as it is recorded.

    Attributes:
        code: As it is stored, without dashes.
        redeemed: 0 or 1.
        target_email: As its creator wrote it.
        target_address: The same, as addresses are compared.
    """

    id: UUID
    code: str
    creator_id: UserId
    creator_name: str | None
    total_credits: Credits
    redeemed: int
    type: GiftType
    status: GiftStatus
    target_email: str | None
    target_address: str | None
    message: str | None
    source_app_id: str | None
    expires_at: datetime
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True)
class Redemption:
    """A gift that a user has redeemed."""

    id: UUID
    user_id: UserId
    credits_received: Credits
    transaction_id: UUID
    source_app_id: str | None
    redeemed_at: datetime
    gift: Gift


def status_at(gift: Gift, now: datetime) -> GiftStatus:
    """Tell a gift's status at a moment: from its end on it is expired, also before its credits have gone back."""
    is_over = gift.status is GiftStatus.ACTIVE and gift.expires_at <= now
    return GiftStatus.EXPIRED if is_over else gift.status


def check_is_active(gift: Gift, now: datetime) -> None:
    """Make sure that a gift can still be redeemed.

    Raises:
        GiftDepleted, GiftExpired, GiftCancelled: how it ended.
    """
    match status_at(gift, now):
        case GiftStatus.ACTIVE:
            return
        case GiftStatus.DEPLETED:
            raise GiftDepleted
        case GiftStatus.EXPIRED:
            raise GiftExpired
        case GiftStatus.CANCELLED | GiftStatus.REFUNDED:
            raise GiftCancelled


def check_is_not_own(gift: Gift, user_id: UserId) -> None:
    """Make sure that a user does not redeem a gift of their own.

    Raises:
        OwnGift: the user created it.
    """
    if gift.creator_id == user_id:
        raise OwnGift


def public_name(name: str | None) -> str | None:
    """Return a creator's name as others may read it; `None` if there is none, or if it is an e-mail address."""
    trimmed = (name or "").strip()[:NAME_MAX].strip()
    return trimmed if trimmed and "@" not in trimmed else None
