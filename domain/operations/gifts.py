"""Gifts: create, redeem, take back, let expire. Whatever ends a gift locks the gift first, then the balance."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from domain.errors import GiftNotForYou, NotFound
from domain.ids import new_id
from domain.operations.jobs import record
from domain.rules.addresses import comparable, same_mailbox
from domain.rules.gift_codes import ALPHABET, RANDOM_LENGTH, with_check
from domain.rules.gifts import Gift, GiftStatus, NewGift, check_is_active, check_is_not_own
from domain.rules.idempotency import ClientKey, job_keys, movement_keys
from domain.rules.job_kinds import REDEEM, REDEEM_PENDING
from domain.rules.job_payloads import GiftRedeemed, PendingGiftsRedeemed, RedeemGift, RedeemPendingGifts
from domain.rules.jobs import NewJob, Recorded
from domain.rules.ledger import Appended, Movement, Transaction, TransactionType
from domain.store import Reader, Store, ledger
from domain.store import gifts as gift_rows
from domain.units import Credits, UserId

GIFTS_APP: Final = "gifts"
"""The `app_id` of a gift's transactions when no app is named."""

PENDING_MAX: Final = 200
"""The most gifts one registration redeems; the next call takes the next ones."""


@dataclass(frozen=True, kw_only=True)
class Created:
    """A gift as the first answer showed it; `replayed` if an earlier request created it."""

    gift: Gift
    replayed: bool


@dataclass(frozen=True, kw_only=True)
class Cancelled:
    """The credits that went back to the creator; `replayed` if an earlier request returned them."""

    refunded_credits: Credits
    replayed: bool


def create_gift(store: Store, new: NewGift, *, key: ClientKey | None, now: datetime) -> Created:
    """Take credits from the gift's creator and write the gift with a new code, once per key.

    Raises:
        InsufficientCredits: the creator's balance does not cover the gift.
        KeyReused: the key came before, with another request.
        BadAddress: `target_email` is not one.
    """
    target_address = None if new.target_email is None else comparable(new.target_email)
    gift_id = new_id()
    debited = ledger.append(store, _debit(gift_id, new, key), now=now)
    if not debited.replayed:
        gift = gift_rows.add(store, gift_id, new, code=_new_code(), target_address=target_address, now=now)
        return Created(gift=gift, replayed=False)
    gift = _existing(gift_rows.by_id(store, _gift_of(debited.transaction)))
    # A repeated request gets the first answer again. Only the gift's state may have changed since.
    first = replace(gift, status=GiftStatus.ACTIVE, redeemed=0, updated_at=gift.created_at)
    return Created(gift=first, replayed=True)


def redeem_later(
    store: Store,
    *,
    typed: str,
    user_id: UserId,
    email: str | None,
    source_app_id: str | None,
    key: ClientKey | None,
    request_id: str | None,
) -> Recorded[RedeemGift, GiftRedeemed]:
    """Record the job that redeems a gift, once per gift and user, or per client's key.

    Who may redeem a gift never changes, so that is checked here; whether it is still active is checked by the job.

    Args:
        email: The user's verified e-mail address, if there is one. It is not recorded.

    Raises:
        NotFound: there is no gift with this code.
        OwnGift, GiftNotForYou: it is not for this user.
        KeyReused: the key came before, with another request.
    """
    gift = gift_rows.get_by_code(store, typed)
    check_is_not_own(gift, user_id)
    if gift.target_email is not None and not same_mailbox(gift.target_email, email):
        raise GiftNotForYou
    new = NewJob(
        kind=REDEEM,
        payload=RedeemGift(user_id=user_id, gift_id=gift.id, source_app_id=source_app_id),
        request_id=request_id,
        **job_keys(key, user_id=user_id, natural=f"redeem:{gift.id}:{user_id}"),
    )
    return record(store, new)


def redeem(store: Store, *, gift_id: UUID, user_id: UserId, source_app_id: str | None, now: datetime) -> GiftRedeemed:
    """Give a gift's credits to a user, once.

    Returns:
        The answer for the user; the same again if the user has redeemed this gift before.

    Raises:
        GiftDepleted, GiftExpired, GiftCancelled: it is no longer active.
    """
    gift = _existing(gift_rows.lock(store, gift_id))
    earlier = gift_rows.redemption_of(store, gift.id) if gift.status is GiftStatus.DEPLETED else None
    if earlier is not None and earlier.user_id == user_id:
        return _redeemed(gift, ledger.get(store, earlier.transaction_id))
    check_is_not_own(gift, user_id)
    check_is_active(gift, now)
    credited = ledger.append(store, _credit(gift, user_id, source_app_id), now=now).transaction
    gift_rows.end(store, gift.id, GiftStatus.DEPLETED, now=now)
    gift_rows.add_redemption(
        store, gift, user_id=user_id, transaction_id=credited.id, source_app_id=source_app_id, now=credited.created_at
    )
    return _redeemed(gift, credited)


def redeem_pending_later(
    store: Store, *, user_id: UserId, email: str, key: ClientKey | None, request_id: str | None, now: datetime
) -> Recorded[RedeemPendingGifts, PendingGiftsRedeemed]:
    """Record the job that redeems the gifts waiting for an e-mail address, which the caller has verified.

    Raises:
        BadAddress: `email` is not one.
        KeyReused: the key came before, with another request.
    """
    gift_ids = gift_rows.active_for(store, comparable(email), not_from=user_id, now=now, most=PENDING_MAX)
    new = NewJob(
        kind=REDEEM_PENDING,
        payload=RedeemPendingGifts(user_id=user_id, gift_ids=tuple(gift_ids)),
        request_id=request_id,
        **job_keys(key, user_id=user_id, natural=f"redeem-pending:{new_id()}"),
    )
    return record(store, new)


def pending_redeemed(reader: Reader, *, gift_ids: Sequence[UUID], user_id: UserId) -> PendingGiftsRedeemed:
    """Count those of these gifts that a user has redeemed. Read from the database: exact after a crash."""
    count, total = gift_rows.redeemed_among(reader, gift_ids, user_id)
    return PendingGiftsRedeemed(redeemed=count, total_credits=total)


def cancel(store: Store, *, gift_id: UUID, creator_id: UserId, key: ClientKey | None, now: datetime) -> Cancelled:
    """Cancel a gift: its credits go back to its creator.

    Raises:
        NotFound: there is no such gift, or it is not the creator's.
        GiftDepleted, GiftExpired, GiftCancelled: it is no longer active.
        KeyReused: the key came before, with another request.
    """
    gift = gift_rows.lock(store, gift_id)
    if gift is None or gift.creator_id != creator_id:
        raise NotFound("Gift")
    earlier = ledger.replay(store, creator_id, key)
    if earlier is not None:
        return Cancelled(refunded_credits=Credits(earlier.amount), replayed=True)
    check_is_active(gift, now)
    returned = _return(store, gift, "Gift cancelled", key=key, now=now)
    gift_rows.end(store, gift.id, GiftStatus.CANCELLED, now=now)
    return Cancelled(refunded_credits=Credits(returned.transaction.amount), replayed=False)


def expire(store: Store, *, gift_id: UUID, now: datetime) -> bool:
    """Return the credits of a gift whose time is over to its creator; `False` if it has ended otherwise."""
    gift = gift_rows.lock(store, gift_id)
    if gift is None or gift.status is not GiftStatus.ACTIVE or gift.expires_at > now:
        return False
    _return(store, gift, "Gift expired", key=None, now=now)
    gift_rows.end(store, gift.id, GiftStatus.EXPIRED, now=now)
    return True


def _new_code() -> str:
    return with_check("".join(secrets.choice(ALPHABET) for _ in range(RANDOM_LENGTH)))


def _debit(gift_id: UUID, new: NewGift, key: ClientKey | None) -> Movement:
    return Movement(
        user_id=new.creator_id,
        type=TransactionType.GIFT,
        amount=-new.total_credits,
        app_id=new.source_app_id or GIFTS_APP,
        counterparty=f"gift:{gift_id}",
        description="Gift created",
        **movement_keys(key, natural=f"gift:{gift_id}:create"),
    )


def _credit(gift: Gift, user_id: UserId, source_app_id: str | None) -> Movement:
    return Movement(
        user_id=user_id,
        type=TransactionType.GIFT,
        amount=gift.total_credits,
        app_id=source_app_id or GIFTS_APP,
        counterparty=f"gift:{gift.id}",
        description="Gift redeemed",
        movement_key=f"gift:{gift.id}:redeem",
    )


def _return(store: Store, gift: Gift, description: str, *, key: ClientKey | None, now: datetime) -> Appended:
    movement = Movement(
        user_id=gift.creator_id,
        type=TransactionType.GIFT,
        amount=gift.total_credits,
        app_id=gift.source_app_id or GIFTS_APP,
        counterparty=f"gift:{gift.id}",
        description=description,
        **movement_keys(key, natural=f"gift:{gift.id}:return"),
    )
    return ledger.append(store, movement, now=now)


def _redeemed(gift: Gift, credited: Transaction) -> GiftRedeemed:
    return GiftRedeemed(
        success=True,
        credits=gift.total_credits,
        credits_received=gift.total_credits,
        new_balance=credited.balance_after,
        message=gift.message,
        creator_name=gift.creator_name,
    )


def _gift_of(transaction: Transaction) -> UUID:
    return UUID(transaction.counterparty.removeprefix("gift:"))


def _existing(gift: Gift | None) -> Gift:
    if gift is None:
        raise NotFound("Gift")
    return gift
