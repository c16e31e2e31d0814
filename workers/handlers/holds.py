"""Jobs about holds: give back what was neither paid nor released in time."""

from collections.abc import Callable
from datetime import UTC, datetime

from domain.operations import holds
from domain.rules.job_kinds import EXPIRE_HOLDS
from domain.rules.job_payloads import Expired
from domain.rules.jobs import Job, NoPayload
from domain.store import Store
from domain.store import holds as hold_rows
from process.parts import WorkerParts
from workers.handlers.batches import BATCH, act_on_due
from workers.registry import handles


@handles(EXPIRE_HOLDS)
def expire_holds(_payload: NoPayload, _job: Job, parts: WorkerParts) -> Callable[[Store], Expired]:
    """Give back the credits of every hold whose time is over."""
    now = datetime.now(UTC)
    expired = act_on_due(
        parts,
        find=lambda reader, behind: hold_rows.due(reader, now=now, behind=behind, most=BATCH),
        act=lambda store, hold_id: holds.expire(store, hold_id=hold_id, now=now),
    )
    return lambda _store: Expired(expired=expired)
