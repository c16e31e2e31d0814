"""The handlers: one for each kind of job."""

from collections.abc import Mapping
from typing import Final

from domain.rules.jobs import JobKind
from workers.handlers.operators import retry_all
from workers.handlers.purchases import open_payment
from workers.handlers.stripe_events import settle_event
from workers.handlers.upkeep import audit, prune
from workers.jobs import Handler

HANDLERS: Final[Mapping[JobKind, Handler]] = {
    JobKind.PURCHASE: open_payment,
    JobKind.STRIPE_EVENT: settle_event,
    JobKind.PRUNE: prune,
    JobKind.AUDIT: audit,
    JobKind.RETRY_ALL: retry_all,
}
