"""Jobs about jobs: retry many, slowly, and stop when too many fail again; delete old rows that nobody needs."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final

from domain.errors import Unfinished
from domain.operations import console_sessions, jobs, purchases
from domain.operations.job_repair import retry_some, run_result
from domain.rules.job_kinds import PRUNE, RETRY_ALL
from domain.rules.job_payloads import JobsRetried, Pruned, RetryJobs
from domain.rules.jobs import Job, NoPayload
from domain.store import Store
from process.parts import WorkerParts
from workers.registry import handles

STEPS: Final = 5
"""How many steps, of a second each, one start takes before the job gives its thread to others."""

STEP_S: Final = 1.0


@handles(RETRY_ALL)
def retry_all(payload: RetryJobs, job: Job, parts: WorkerParts) -> Callable[[Store], JobsRetried]:
    """Retry the jobs that match the operator's filter, at most `RETRIES_PER_SECOND`.

    Each step is one transaction. A crash between two leaves the jobs of the steps before set to pending and written
    down in `jobs.acts`; the next start goes on with the others.
    """
    for _ in range(STEPS):
        with parts.database.begin() as store:
            step = retry_some(store, job, now=datetime.now(UTC))
        parts.bell.ring(*step.retried)
        if step.is_over:
            return partial(run_result, run_id=job.id, filters=payload.filter)
        time.sleep(STEP_S)
    raise Unfinished(pause_s=0)


@handles(PRUNE)
def prune(_payload: NoPayload, _job: Job, parts: WorkerParts) -> Callable[[Store], Pruned]:
    """Delete old jobs, ended sessions of the console and old unpaid purchases, until none is left.

    Each batch has a transaction of its own. A crash leaves the batches before deleted; the next start goes on with the
    others.
    """
    now = datetime.now(UTC)
    deleted = _prune_all(jobs.prune, parts) + _prune_all(partial(console_sessions.prune, now=now), parts)
    pruned = Pruned(deleted=deleted, purchases=_prune_all(partial(purchases.prune, now=now), parts))
    return lambda _store: pruned


def _prune_all(prune_batch: Callable[[Store], int], parts: WorkerParts) -> int:
    deleted = 0
    while True:
        with parts.database.begin() as store:
            batch = prune_batch(store)
        deleted += batch
        if not batch:
            return deleted
