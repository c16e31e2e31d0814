"""What is done by the clock. A tick each minute records the jobs of the current period; their keys make them unique."""

from datetime import UTC, datetime, timedelta
from typing import Final

from domain.operations.jobs import record_all
from domain.rules.jobs import Job, JobKind, NewJob
from workers.resources import Resources
from workers.sweeper import sweep

EVERY: Final = {
    JobKind.EXPIRE_GIFTS: timedelta(minutes=1),
    JobKind.EXPIRE_HOLDS: timedelta(minutes=1),
    JobKind.ROLL_UP_USAGE: timedelta(minutes=2),
    JobKind.AUDIT: timedelta(minutes=15),
    JobKind.PRUNE: timedelta(hours=1),
}
"""Which kinds are recorded once per period of this length."""


def record_due(with_: Resources) -> list[Job]:
    """Record this period's jobs, ring for them, and sweep; returns the jobs that are new."""
    now = datetime.now(UTC)
    wanted = [NewJob(kind=kind, key=f"{kind}:{_period(now, every):%Y-%m-%dT%H:%MZ}") for kind, every in EVERY.items()]
    with with_.database.begin() as store:
        fresh = record_all(store, wanted)
    with_.bell.ring(*fresh)
    sweep(with_)
    return fresh


def _period(now: datetime, every: timedelta) -> datetime:
    """Tell when the period that holds `now` began. Periods are counted from 1970, in UTC."""
    return datetime.fromtimestamp(now.timestamp() // every.total_seconds() * every.total_seconds(), UTC)
