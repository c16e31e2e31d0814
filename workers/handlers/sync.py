"""Jobs of Cloud Sync: activating, renewing one user or a hundred, a run over everything due, telling users."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Final

from domain.operations import renewals, sync
from domain.operations.jobs import Write, WriteAll
from domain.rules.jobs import Job, JobKind, Queue
from domain.rules.notices import Notice, message
from domain.rules.sync import Interval, Period
from domain.store import waves
from domain.units import UserId
from gateways.bell import IDS_PER_MESSAGE
from process.parts import WorkerParts
from workers.jobs import Handler, TogetherHandler, run_jobs
from workers.schedule import record_renewals

OWN_SHARE_S: Final = 1.5
"""How long a run that was asked for renews what it recorded itself: a small one ends within the caller's wait."""

_PAUSE_S: Final = 0.05


def activate_sync(job: Job, _parts: WorkerParts) -> Write:
    """Charge the first period and activate, in one transaction."""
    interval = Interval(job.payload["interval"])
    return partial(sync.activate, user_id=_user_of(job), interval=interval, now=datetime.now(UTC))


def resume_sync(job: Job, _parts: WorkerParts) -> Write:
    """Activate again whom a top-up allows it."""
    return partial(sync.resume, user_id=_user_of(job), now=datetime.now(UTC))


def renew_one(job: Job, parts: WorkerParts) -> Write:
    """Renew one subscription, by itself."""
    return partial(
        renewals.renew,
        user_id=_user_of(job),
        period=Period.of_payload(job.payload),
        notices=parts.notifier is not None,
        now=datetime.now(UTC),
    )


def renew_many(parts: WorkerParts) -> WriteAll:
    """Renew many subscriptions in one transaction."""
    return partial(renewals.renew_together, notices=parts.notifier is not None, now=datetime.now(UTC))


RENEWALS: Final[Mapping[JobKind, Handler]] = {JobKind.RENEW: renew_one}
RENEWALS_TOGETHER: Final[Mapping[JobKind, TogetherHandler]] = {JobKind.RENEW: renew_many}


def charge_recurring(job: Job, parts: WorkerParts) -> Write:
    """Record everything that is due, renew a share of it here, and end when all of it has been tried.

    A crash leaves the renewals recorded; the other workers do them, and the run looks again when its lease is over.
    """
    until = time.monotonic() + OWN_SHARE_S
    recorded = record_renewals(parts, now=datetime.now(UTC))
    most = IDS_PER_MESSAGE[Queue.RENEWALS]
    for first in range(0, len(recorded), most):
        if time.monotonic() > until:
            break
        run_jobs(recorded[first : first + most], RENEWALS, parts, together=RENEWALS_TOGETHER)
    while _has_untried(parts) and time.monotonic() < until:
        time.sleep(_PAUSE_S)  # other workers are at the rest of it
    return lambda store: renewals.end_run(store, began_at=job.created_at, now=datetime.now(UTC))


def notify(job: Job, parts: WorkerParts) -> Write:
    """Post a notice. A crash before the job's end posts it again, with the same idempotency key."""
    if parts.notifier is None:
        return lambda _store: {"sent": False}
    notice = Notice.of_facts(job.payload)
    parts.notifier.send(_user_of(job), message(notice), key=str(job.id))
    return lambda _store: {"sent": True}


def _has_untried(parts: WorkerParts) -> bool:
    with parts.database.single() as store:
        return waves.has_untried(store)


def _user_of(job: Job) -> UserId:
    if job.user_id is None:
        raise ValueError(f"job {job.id} names no user")
    return job.user_id
