"""Jobs of kind `audit`: checking the books."""

from collections.abc import Callable
from typing import Final

from domain.rules.job_kinds import AUDIT
from domain.rules.job_payloads import Audited
from domain.rules.jobs import Job, NoPayload
from domain.store import Store, invariants
from process.parts import WorkerParts
from workers.registry import handles

AUDIT_S: Final = 600
"""How long an invariant may take on a large ledger, in seconds; less than the lease of the kind."""


@handles(AUDIT)
def audit(_payload: NoPayload, _job: Job, _parts: WorkerParts) -> Callable[[Store], Audited]:
    """Run every invariant; the job's result is what `/metrics` shows."""
    return _audit


def _audit(store: Store) -> Audited:
    store.allow_s(AUDIT_S)
    return Audited(violations={finding.invariant: finding.count for finding in invariants.audit(store)})
