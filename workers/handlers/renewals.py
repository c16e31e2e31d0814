"""Jobs that renew Cloud Sync: one user, many users at once, and everything that is due."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final
from uuid import UUID

from domain.operations import renewals
from domain.rules.job_kinds import CHARGE_RECURRING, RENEW
from domain.rules.job_payloads import RecurringCharged, RenewSync, SyncRenewed
from domain.rules.jobs import Job, NoPayload, Queue
from domain.store import Store
from domain.store.renewals import has_untried
from gateways.bell import IDS_PER_MESSAGE
from process.parts import WorkerParts
from workers.jobs import run_jobs
from workers.registry import handles, handles_together
from workers.schedule import record_renewals

OWN_SHARE_S: Final = 1.5
"""How long a `charge-recurring` job renews by itself: a small one so ends while its caller still waits."""

_PAUSE_S: Final = 0.05


@handles(RENEW)
def renew_one(payload: RenewSync, _job: Job, parts: WorkerParts) -> Callable[[Store], SyncRenewed]:
    """Renew one subscription, by itself."""
    return partial(
        renewals.renew,
        user_id=payload.user_id,
        period=payload.renewed_period,
        notices=parts.notifier is not None,
        now=datetime.now(UTC),
    )


@handles_together(RENEW)
def renew_many(parts: WorkerParts) -> Callable[[Store, Sequence[Job]], Mapping[UUID, SyncRenewed]]:
    """Renew many subscriptions in one transaction."""
    return partial(renewals.renew_together, notices=parts.notifier is not None, now=datetime.now(UTC))


@handles(CHARGE_RECURRING)
def charge_recurring(_payload: NoPayload, job: Job, parts: WorkerParts) -> Callable[[Store], RecurringCharged]:
    """Record everything that is due, renew a share of it here, and end when all of it has been attempted.

    A crash leaves the renewals recorded; the other workers do them, and this job looks again when its lease is over.
    """
    until = time.monotonic() + OWN_SHARE_S
    recorded = record_renewals(parts, now=datetime.now(UTC))
    most = IDS_PER_MESSAGE[Queue.RENEWALS]
    for first in range(0, len(recorded), most):
        if time.monotonic() > until:
            break
        run_jobs(recorded[first : first + most], parts)
    while _has_untried(parts) and time.monotonic() < until:
        time.sleep(_PAUSE_S)  # other workers do the rest
    return lambda store: renewals.end_charge_recurring(store, began_at=job.created_at, now=datetime.now(UTC))


def _has_untried(parts: WorkerParts) -> bool:
    with parts.database.read() as reader:
        return has_untried(reader)
