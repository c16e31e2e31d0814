"""Jobs of kind `retry-all`: set many failed jobs to pending, slowly, and stop when that does not help."""

import time
from datetime import UTC, datetime
from functools import partial
from typing import Final

from domain.errors import Unfinished
from domain.operations.jobs import Write
from domain.operations.operators import retry_some, run_result
from domain.rules.jobs import Job
from process.parts import WorkerParts

STEPS: Final = 5
"""How many steps of a second a start takes before the job lets others have its thread."""

STEP_S: Final = 1.0


def retry_all(job: Job, parts: WorkerParts) -> Write:
    """Retry the jobs the operator meant, at most `RETRIES_PER_SECOND`.

    Each step is one transaction. A crash between two leaves the jobs of the steps before set to pending and written
    down in `jobs.acts`; the next start goes on with the others.
    """
    for _ in range(STEPS):
        with parts.database.begin() as store:
            step = retry_some(store, job, now=datetime.now(UTC))
        parts.bell.ring(*step.retried)
        if step.is_over:
            return partial(run_result, run_id=job.id, wanted=job.payload["filter"])
        time.sleep(STEP_S)
    raise Unfinished(pause_s=0)
