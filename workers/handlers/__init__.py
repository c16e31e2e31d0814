"""The handlers: one for each kind of job."""

from collections.abc import Mapping
from typing import Final

from domain.rules.jobs import JobKind
from workers.handlers.purchases import cancel_purchase, find_abandoned, open_payment, refund_purchase
from workers.handlers.reconciliation import reconcile, reconcile_objects
from workers.handlers.stripe_events import settle_event, settle_object
from workers.handlers.upkeep import audit, prune
from workers.jobs import Handler

HANDLERS: Final[Mapping[JobKind, Handler]] = {
    JobKind.PURCHASE: open_payment,
    JobKind.STRIPE_EVENT: settle_event,
    JobKind.STRIPE_OBJECT: settle_object,
    JobKind.REFUND: refund_purchase,
    JobKind.RECONCILE: reconcile,
    JobKind.RECONCILE_OBJECTS: reconcile_objects,
    JobKind.ABANDONED: find_abandoned,
    JobKind.CANCEL: cancel_purchase,
    JobKind.PRUNE: prune,
    JobKind.AUDIT: audit,
}
