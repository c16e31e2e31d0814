"""Jobs about holds: give back what was neither paid nor released in time."""

from datetime import UTC, datetime
from uuid import UUID

from domain.operations import holds
from domain.operations.jobs import Write
from domain.rules.jobs import Job
from domain.store import Store
from process.parts import WorkerParts
from workers.handlers.batches import BATCH, act_on_due


def expire_holds(_job: Job, parts: WorkerParts) -> Write:
    """Give back the credits of every hold whose time is over."""
    now = datetime.now(UTC)

    def act(store: Store, hold_id: UUID) -> bool:
        return holds.expire(store, hold_id=hold_id, now=now)

    expired = act_on_due(
        parts, find=lambda store, behind: holds.due_holds(store, now=now, behind=behind, most=BATCH), act=act
    )
    return lambda _store: {"expired": expired}
