"""The handlers: one for each kind of job."""

from collections.abc import Mapping
from typing import Final

from domain.rules.jobs import JobKind
from workers.handlers.gifts import expire_gifts, redeem, redeem_pending
from workers.handlers.holds import expire_holds
from workers.handlers.purchases import open_payment
from workers.handlers.stripe_events import settle_event
from workers.handlers.upkeep import audit, prune
from workers.handlers.usage import roll_up_usage
from workers.jobs import Handler

HANDLERS: Final[Mapping[JobKind, Handler]] = {
    JobKind.PURCHASE: open_payment,
    JobKind.STRIPE_EVENT: settle_event,
    JobKind.REDEEM: redeem,
    JobKind.REDEEM_PENDING: redeem_pending,
    JobKind.EXPIRE_GIFTS: expire_gifts,
    JobKind.EXPIRE_HOLDS: expire_holds,
    JobKind.ROLL_UP_USAGE: roll_up_usage,
    JobKind.PRUNE: prune,
    JobKind.AUDIT: audit,
}
