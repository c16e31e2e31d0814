"""The handlers: one for each kind of job, and for some kinds one for many jobs at once."""

from collections.abc import Mapping
from typing import Final

from domain.rules.jobs import JobKind
from workers.handlers.gifts import expire_gifts, redeem, redeem_pending
from workers.handlers.holds import expire_holds
from workers.handlers.operators import retry_all
from workers.handlers.purchases import cancel_purchase, find_abandoned, open_payment, refund_purchase
from workers.handlers.reconciliation import reconcile, reconcile_objects
from workers.handlers.stripe_events import settle_event, settle_object
from workers.handlers.sync import RENEWALS_TOGETHER, activate_sync, charge_recurring, notify, renew_one, resume_sync
from workers.handlers.upkeep import audit, prune
from workers.handlers.usage import roll_up_usage
from workers.jobs import Handler, TogetherHandler

HANDLERS: Final[Mapping[JobKind, Handler]] = {
    JobKind.PURCHASE: open_payment,
    JobKind.STRIPE_EVENT: settle_event,
    JobKind.STRIPE_OBJECT: settle_object,
    JobKind.REFUND: refund_purchase,
    JobKind.RECONCILE: reconcile,
    JobKind.RECONCILE_OBJECTS: reconcile_objects,
    JobKind.ABANDONED: find_abandoned,
    JobKind.CANCEL: cancel_purchase,
    JobKind.REDEEM: redeem,
    JobKind.REDEEM_PENDING: redeem_pending,
    JobKind.EXPIRE_GIFTS: expire_gifts,
    JobKind.EXPIRE_HOLDS: expire_holds,
    JobKind.ROLL_UP_USAGE: roll_up_usage,
    JobKind.PRUNE: prune,
    JobKind.AUDIT: audit,
    JobKind.RETRY_ALL: retry_all,
    JobKind.ACTIVATE: activate_sync,
    JobKind.RESUME: resume_sync,
    JobKind.RENEW: renew_one,
    JobKind.CHARGE_RECURRING: charge_recurring,
    JobKind.NOTIFY: notify,
}

TOGETHER: Final[Mapping[JobKind, TogetherHandler]] = RENEWALS_TOGETHER
"""The kinds of which many jobs are done in one transaction."""
