"""Scheduled work. A tick each minute records the jobs of the current period; their keys make them unique."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from domain.operations.jobs import record_all
from domain.operations.notices import BATCH, look_ahead
from domain.operations.renewals import DuePage, record_page, record_resumptions
from domain.rules.job_kinds import KINDS
from domain.rules.jobs import Job, NewJob, Queue
from domain.units import UserId
from process.parts import WorkerParts
from workers.sweeper import sweep


def record_due(parts: WorkerParts) -> list[Job]:
    """Record this period's jobs, ring for them, and sweep; returns the jobs that are new."""
    now = datetime.now(UTC)
    new = [
        NewJob(kind=kind, key=f"{kind.name}:{_period(now, kind.every):%Y-%m-%dT%H:%MZ}", payload=kind.payload())
        for kind in KINDS.values()
        if kind.every is not None
    ]
    with parts.database.begin() as store:
        fresh = record_all(store, new)
    parts.bell.ring(*fresh)
    sweep(parts)
    return fresh


def watch_sync(parts: WorkerParts) -> None:
    """Record jobs for subscriptions: renewals that are due, resumptions, and notices about charges not covered."""
    record_renewals(parts, now=datetime.now(UTC))
    _record_resumptions(parts)
    if parts.notifier is not None:
        _record_low_balances(parts, now=datetime.now(UTC))


def record_renewals(parts: WorkerParts, *, now: datetime) -> list[UUID]:
    """Record due renewals, a page in a transaction, and ring for each page at once; returns the jobs that are new."""
    recorded: list[UUID] = []
    page = DuePage(recorded=(), last=None)
    while True:
        with parts.database.begin() as store:
            page = record_page(store, after=page.last, now=now)
        parts.bell.ring_ids({Queue.RENEWALS: page.recorded})
        recorded.extend(page.recorded)
        if page.last is None:
            return recorded


def _record_resumptions(parts: WorkerParts) -> None:
    after: UserId | None = UserId("")
    while after is not None:
        with parts.database.begin() as store:
            recorded, after = record_resumptions(store, after=after)
        parts.bell.ring_ids({Queue.DEFAULT: recorded})


def _record_low_balances(parts: WorkerParts, *, now: datetime) -> None:
    checked = BATCH
    while checked == BATCH:
        with parts.database.begin() as store:
            checked, recorded = look_ahead(store, now=now)
        parts.bell.ring_ids({Queue.NOTIFY: recorded})


def _period(now: datetime, every: timedelta) -> datetime:
    """Tell when the period that holds `now` began. Periods are counted from 1970, in UTC."""
    return datetime.fromtimestamp(now.timestamp() // every.total_seconds() * every.total_seconds(), UTC)
