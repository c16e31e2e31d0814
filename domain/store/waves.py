"""Runs over everything that is due: the one that is under way, and what came of its renewals."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select, text

from domain.rules.jobs import Job, JobKind
from domain.store.database import Store
from domain.store.jobs import lock_by_key
from domain.store.tables import jobs

_ONE_CALLER: Final = text("SELECT pg_advisory_xact_lock(5264392)")
"""Callers queue here, so that two of them at once do not both find that nothing runs. Any number does that is ours."""


def lock_running(store: Store) -> Job | None:
    """Lock and read the run that has not ended; until the transaction ends nobody else can look for it or end it."""
    store.run(_ONE_CALLER)
    running = select(jobs.c.key).where(
        text("kind = 'charge_recurring' AND state = 'pending'")  # as the index says it
    )
    key = store.run(running.order_by(jobs.c.created_at).limit(1)).scalar()
    if key is None:
        return None
    job = lock_by_key(store, key)
    return job if job.finished_at is None and job.kind is JobKind.CHARGE_RECURRING else None


_UNTRIED: Final = text("""
SELECT EXISTS (SELECT FROM jobs.jobs WHERE state = 'pending' AND kind = 'renew' AND attempts = 0)
""")


def has_untried(store: Store) -> bool:
    """Tell whether there are renewals that have neither ended nor failed once."""
    return bool(store.run(_UNTRIED).scalar_one())


@dataclass(frozen=True, kw_only=True)
class Tally:
    """How many renewals ended in which way."""

    charged: int
    paused: int
    errors: int


_TALLY: Final = text("""
SELECT count(*) FILTER (WHERE result ->> 'outcome' = 'charged') AS charged,
       count(*) FILTER (WHERE result ->> 'outcome' = 'paused') AS paused,
       count(*) FILTER (WHERE state = 'failed')
         + (SELECT count(*) FROM jobs.jobs WHERE state = 'pending' AND kind = 'renew' AND attempts > 0) AS errors
FROM jobs.jobs WHERE state IN ('done', 'failed') AND finished_at >= :since AND kind = 'renew'
""")


def tally(store: Store, *, since: datetime) -> Tally:
    """Count what came of renewals since a moment; those that failed and wait for another try are errors."""
    row = store.run(_TALLY, {"since": since}).one()
    return Tally(charged=row.charged, paused=row.paused, errors=row.errors)
