"""Jobs of the clock: pruning, and proving the books."""

from collections.abc import Mapping
from typing import Any, Final

from domain.operations.audit import violations
from domain.operations.jobs import Write
from domain.operations.jobs import prune as prune_jobs
from domain.rules.jobs import Job
from domain.store import Store
from process.parts import WorkerParts

AUDIT_S: Final = 600
"""How long an invariant may take on a large ledger, in seconds; less than the lease of the kind."""


def prune(_job: Job, parts: WorkerParts) -> Write:
    """Delete old jobs, a batch in a transaction, until none is left."""
    deleted = 0
    while True:
        with parts.database.begin() as store:
            batch = prune_jobs(store)
        deleted += batch
        if not batch:
            return lambda _store: {"deleted": deleted}


def audit(_job: Job, _parts: WorkerParts) -> Write:
    """Run every invariant; the job's result is what `/metrics` shows."""
    return _audit


def _audit(store: Store) -> Mapping[str, Any]:
    store.allow_s(AUDIT_S)
    return {"violations": {finding.invariant: finding.count for finding in violations(store)}}
