"""Jobs of kind `roll-up-usage`: count what was spent by the ledger, per user, app and UTC day."""

import time
from collections.abc import Callable
from typing import Final

from domain.operations.usage import count_usage
from domain.rules.job_kinds import ROLL_UP_USAGE
from domain.rules.job_payloads import RolledUp
from domain.rules.jobs import Job, NoPayload
from domain.store import Store
from domain.units import UserId
from process.parts import WorkerParts
from workers.registry import handles

WORK_S: Final = 20.0
"""How long one job goes on; less than its lease. The next job finds what is left."""


@handles(ROLL_UP_USAGE)
def roll_up_usage(_payload: NoPayload, _job: Job, parts: WorkerParts) -> Callable[[Store], RolledUp]:
    """Count the users whose ledger has grown, a batch in a transaction."""
    batches = 0
    after: UserId | None = UserId("")
    until = time.monotonic() + WORK_S
    while after is not None and time.monotonic() < until:
        with parts.database.begin() as store:
            after = count_usage(store, after=after)
        batches += after is not None
    return lambda _store: RolledUp(batches=batches)
