"""Following a recorded job from the command line, until a worker has ended it."""

import math
import sys
import time
from uuid import UUID

from domain.rules.jobs import Job, JobState
from domain.store import Database
from domain.store import jobs as job_rows
from ops.terminal import end_with

PAUSE_S = 0.2
PATIENCE_S = 600.0


def wait_for_end(database: Database, job_id: UUID, *, patience_s: float = math.inf) -> Job:
    """Wait until a job has ended, and return it.

    Args:
        patience_s: Seconds after which the command ends with a message and exit status 1. The job stays recorded.
    """
    until = time.monotonic() + patience_s
    while True:
        with database.read() as reader:
            job = job_rows.get(reader, job_id, owner=None)
        if job.state is not JobState.PENDING:
            return job
        if time.monotonic() >= until:
            sys.exit(
                f"Job {job_id} is recorded but still pending after {patience_s:.0f} s. A worker will do it: is one"
                f" running? Follow it with: {follow_command(job_id)}"
            )
        time.sleep(PAUSE_S)


def follow_command(job_id: UUID) -> str:
    """Return the command that shows a job."""
    return f"mana-credits jobs show {job_id}"


def exit_unless_done(job: Job) -> Job:
    """Return a done job; otherwise end the command with the job's problem."""
    if job.state is not JobState.DONE:
        detail = (job.problem or {}).get("detail", "no detail")
        end_with(f"Job {job.id} is {job.state.value}: {detail}")
    return job
