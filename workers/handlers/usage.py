"""Jobs of kind `roll-up-usage`: count what the ledger says was spent, per user, app and UTC day."""

import time
from typing import Final

from domain.operations.jobs import Write
from domain.operations.usage import count_usage
from domain.rules.jobs import Job
from domain.units import UserId
from process.parts import WorkerParts

RUN_S: Final = 20.0
"""How long one run goes on; less than a job's lease. What is left is found by the next run."""


def roll_up_usage(_job: Job, parts: WorkerParts) -> Write:
    """Count the users whose ledger has grown, a batch in a transaction."""
    batches = 0
    after: UserId | None = UserId("")
    until = time.monotonic() + RUN_S
    while after is not None and time.monotonic() < until:
        with parts.database.begin() as store:
            after = count_usage(store, after=after)
        batches += after is not None
    return lambda _store: {"batches": batches}
