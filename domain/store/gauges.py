"""The state of the service in a few numbers, for monitoring."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text

from domain.store.database import Reader
from domain.store.invariants import INVARIANTS

_OLDEST: Final = text("""
SELECT coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0) FROM jobs.jobs
WHERE state = 'pending' AND next_at <= clock_timestamp()
""")
_FAILED: Final = text("""
SELECT coalesce(extract(epoch FROM clock_timestamp() - min(finished_at)), 0) FROM jobs.jobs WHERE state = 'failed'
""")
_LAG: Final = text("""
SELECT extract(epoch FROM coalesce(finished_at, clock_timestamp())) - (payload -> 'event' ->> 'created')::bigint
FROM jobs.jobs WHERE kind = 'stripe' AND created_at > clock_timestamp() - interval '1 hour'
ORDER BY created_at DESC LIMIT 1
""")
_AUDIT: Final = text("""
SELECT extract(epoch FROM clock_timestamp() - finished_at) AS age, result -> 'violations' AS violations FROM jobs.jobs
WHERE kind = 'audit' AND state = 'done' ORDER BY finished_at DESC LIMIT 1
""")
_COUNTS: Final = text("""
SELECT kind, state, count(*) FROM jobs.jobs
WHERE state IN ('pending', 'failed') OR (state <> 'pending' AND finished_at > clock_timestamp() - interval '1 hour')
GROUP BY kind, state
""")


@dataclass(frozen=True, kw_only=True)
class Gauges:
    """Numbers of this moment.

    Attributes:
        oldest_pending_s: Age of the oldest due job, in seconds; 0 if none waits.
        oldest_failed_s: Since the first of the failed jobs failed, in seconds; 0 if there is none.
        webhook_lag_s: Of the latest Stripe event, in seconds: from its creation to its end here, or to now.
        audit_age_s: Seconds since the last audit of the books; -1 if there was none.
        jobs: Count by kind and state; ended ones of the last hour only.
        violations: What the last audit found, by invariant.
    """

    oldest_pending_s: float
    oldest_failed_s: float
    webhook_lag_s: float
    audit_age_s: float
    jobs: Mapping[tuple[str, str], int]
    violations: Mapping[str, int]


def read_gauges(reader: Reader) -> Gauges:
    """Read the numbers."""
    audit = reader.first(_AUDIT)
    violations = audit.violations if audit else {}
    return Gauges(
        oldest_pending_s=float(reader.run(_OLDEST).scalar_one()),
        oldest_failed_s=float(reader.run(_FAILED).scalar_one()),
        webhook_lag_s=max(float(reader.run(_LAG).scalar() or 0), 0.0),
        audit_age_s=float(audit.age) if audit else -1.0,
        jobs={(kind, state): count for kind, state, count in reader.run(_COUNTS)},
        violations={invariant.name: violations.get(invariant.name, 0) for invariant in INVARIANTS},
    )
