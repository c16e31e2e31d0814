"""Jobs about gifts: redeem one, redeem those for a new user's address, return those not redeemed in time."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from domain.errors import GiftCancelled, GiftDepleted, GiftExpired
from domain.operations import gifts
from domain.rules.job_kinds import EXPIRE_GIFTS, REDEEM, REDEEM_PENDING
from domain.rules.job_payloads import Expired, GiftRedeemed, PendingGiftsRedeemed, RedeemGift, RedeemPendingGifts
from domain.rules.jobs import Job, NoPayload
from domain.store import Store
from domain.store import gifts as gift_rows
from process.parts import WorkerParts
from workers.handlers.batches import BATCH, act_on_due
from workers.registry import handles


@handles(REDEEM)
def redeem(payload: RedeemGift, _job: Job, _parts: WorkerParts) -> Callable[[Store], GiftRedeemed]:
    """Redeem a gift: its state, the credits and the job's end are one commit."""
    return partial(
        gifts.redeem,
        gift_id=payload.gift_id,
        user_id=payload.user_id,
        source_app_id=payload.source_app_id,
        now=datetime.now(UTC),
    )


@handles(REDEEM_PENDING)
def redeem_pending(
    payload: RedeemPendingGifts, _job: Job, parts: WorkerParts
) -> Callable[[Store], PendingGiftsRedeemed]:
    """Redeem the gifts for a user's address, each in its own transaction.

    A crash between two of them leaves some redeemed; the next start skips those and redeems the others. The result
    is read from the redemptions, so it counts all of them.
    """
    user_id = payload.user_id
    for gift_id in payload.gift_ids:
        try:
            with parts.database.begin() as store:
                gifts.redeem(store, gift_id=gift_id, user_id=user_id, source_app_id=None, now=datetime.now(UTC))
        except (GiftDepleted, GiftExpired, GiftCancelled):
            continue  # it ended before this user came
    return partial(gifts.pending_redeemed, gift_ids=payload.gift_ids, user_id=user_id)


@handles(EXPIRE_GIFTS)
def expire_gifts(_payload: NoPayload, _job: Job, parts: WorkerParts) -> Callable[[Store], Expired]:
    """Return the credits of every gift whose time is over to its creator."""
    now = datetime.now(UTC)
    expired = act_on_due(
        parts,
        find=lambda reader, behind: gift_rows.due(reader, now=now, behind=behind, most=BATCH),
        act=lambda store, gift_id: gifts.expire(store, gift_id=gift_id, now=now),
    )
    return lambda _store: Expired(expired=expired)
