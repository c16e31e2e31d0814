"""Following a recorded job from the command line, until a worker has ended it."""

import sys
import time
from uuid import UUID

from domain.rules.jobs import Job, JobState
from domain.store import Database
from domain.store import jobs as job_rows

PAUSE_S = 0.2
PATIENCE_S = 600.0


def ended(database: Database, job_id: UUID) -> Job:
    """Wait for a job's end; gives up with a message when no worker takes it."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        with database.read() as reader:
            job = job_rows.get(reader, job_id, owner=None)
        if job.state is not JobState.PENDING:
            return job
        time.sleep(PAUSE_S)
    sys.exit(f"Job {job_id} is still pending after {PATIENCE_S:.0f} s; is a worker running?")


def refuse_unless_done(job: Job) -> Job:
    """End the command with the job's problem, unless it is done."""
    if job.state is not JobState.DONE:
        detail = (job.problem or {}).get("detail", "no detail")
        sys.exit(f"Job {job.id} is {job.state.value}: {detail}")
    return job
