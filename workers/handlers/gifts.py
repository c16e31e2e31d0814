"""Jobs about gifts: redeem one, redeem what waits for a new user, return what nobody redeemed in time."""

from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from domain.errors import GiftCancelled, GiftDepleted, GiftExpired
from domain.operations import gifts
from domain.operations.jobs import Write
from domain.rules.jobs import Job
from domain.store import Store
from domain.units import UserId
from gateways.errors import FinalError
from process.parts import WorkerParts
from workers.handlers.batches import BATCH, act_on_due


def redeem(job: Job, _parts: WorkerParts) -> Write:
    """Redeem a gift: its state, the credits and the job's end are one commit."""
    return partial(
        gifts.redeem,
        gift_id=UUID(job.payload["giftId"]),
        user_id=_user_of(job),
        source_app_id=job.payload["sourceAppId"],
        now=datetime.now(UTC),
    )


def redeem_pending(job: Job, parts: WorkerParts) -> Write:
    """Redeem the gifts that waited for a user, each in its own transaction.

    A crash between two of them leaves some redeemed; the next start finds those and goes on with the others. The result
    is read from the redemptions, so it counts all of them.
    """
    user_id = _user_of(job)
    gift_ids = [UUID(gift_id) for gift_id in job.payload["giftIds"]]
    for gift_id in gift_ids:
        try:
            with parts.database.begin() as store:
                gifts.redeem(store, gift_id=gift_id, user_id=user_id, source_app_id=None, now=datetime.now(UTC))
        except (GiftDepleted, GiftExpired, GiftCancelled):
            continue  # it ended before this user came
    return partial(gifts.pending_redeemed, gift_ids=gift_ids, user_id=user_id)


def expire_gifts(_job: Job, parts: WorkerParts) -> Write:
    """Return the credits of every gift whose time is over to its creator."""
    now = datetime.now(UTC)

    def act(store: Store, gift_id: UUID) -> bool:
        return gifts.expire(store, gift_id=gift_id, now=now)

    expired = act_on_due(
        parts, find=lambda store, behind: gifts.due_gifts(store, now=now, behind=behind, most=BATCH), act=act
    )
    return lambda _store: {"expired": expired}


def _user_of(job: Job) -> UserId:
    if job.user_id is None:
        raise FinalError("the job names no user")
    return job.user_id
