"""Which job is next: users take turns.

A message names a job that is due. The worker that takes the message starts the job whose turn it is, which may be
another one; the named one then needs a new message. Without this the jobs of one user, recorded at once, would all be
done before the next user's first.
"""

from typing import Final
from uuid import UUID

from domain.rules.job_kinds import KINDS
from domain.rules.jobs import Job
from domain.store.database import Store
from domain.store.job_execution import LEASES
from domain.store.jobs import job_of

OLDEST_MAX: Final = 200
"""How many jobs that are due are compared, the oldest ones; the named one is always among them."""

_COMES_FIRST: Final = [name for kind in KINDS.values() if kind.comes_first for name in kind.names]

# `place` counts a user's jobs, running ones first: the second job of a user comes after the first of everybody. Of
# equal places the older job comes first, and each job that its user has makes it a second younger: so a user with few
# jobs precedes one with many, and nobody waits for ever. Jobs without a user take turns by their kind. The rows are
# locked one by one in this order, until one is free: only that one stays locked.
_CLAIM_NEXT: Final = """
WITH named AS (
    SELECT id, kind, user_id, next_at, leased_until FROM jobs.jobs
    WHERE id = %(id)s AND queue = 'default' AND state = 'pending' AND next_at <= clock_timestamp()
      AND (leased_until IS NULL OR leased_until <= clock_timestamp()) AND %(leases)s::jsonb ? kind),
oldest AS (
    SELECT id, kind, user_id, next_at, leased_until FROM jobs.jobs
    WHERE EXISTS (SELECT FROM named) AND state = 'pending' AND next_at <= (SELECT clock_timestamp())
      AND queue = 'default' AND %(leases)s::jsonb ? kind
    ORDER BY next_at LIMIT %(most)s),
due AS (
    SELECT *, leased_until IS NULL OR leased_until <= clock_timestamp() AS is_free
    FROM (SELECT * FROM oldest UNION SELECT * FROM named) AS jobs),
turns AS (
    SELECT id, is_free, kind = ANY (%(comes_first)s) AS comes_first,
        row_number() OVER (PARTITION BY user_id, CASE WHEN user_id IS NULL THEN kind END
                           ORDER BY is_free, next_at, id) AS place,
        next_at + interval '1 second' * count(*) OVER (PARTITION BY user_id, CASE WHEN user_id IS NULL THEN kind END)
            AS since
    FROM due)
UPDATE jobs.jobs SET starts = starts + 1, lease_token = %(token)s, leased_until = clock_timestamp()
    + (%(leases)s::jsonb ->> kind)::interval
WHERE id = (SELECT taken.id
            FROM (SELECT id FROM turns WHERE is_free ORDER BY comes_first DESC, place, since, id) AS turn
            CROSS JOIN LATERAL (
                SELECT id FROM jobs.jobs WHERE id = turn.id AND state = 'pending' AND next_at <= clock_timestamp()
                  AND (leased_until IS NULL OR leased_until <= clock_timestamp()) FOR UPDATE SKIP LOCKED) AS taken
            LIMIT 1)
RETURNING *
"""


def claim_next(store: Store, job_id: UUID, *, token: UUID) -> Job | None:
    """Start the job of the queue `default` whose turn it is: count the start and lease it to `token`.

    Returns:
        The job; `None` if the named job is gone, ended, not due or leased, or others take all that is due.
    """
    values = {"id": job_id, "token": token, "leases": LEASES, "comes_first": _COMES_FIRST, "most": OLDEST_MAX}
    row = store.fetch_one(_CLAIM_NEXT, values)
    return None if row is None else job_of(row)
