"""Jobs of Cloud Sync: activating it, and activating it again when a paused user can pay."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from domain.operations import sync
from domain.rules.job_kinds import ACTIVATE, RESUME
from domain.rules.job_payloads import ActivateSync, ResumeSync, SyncActivated, SyncResumed
from domain.rules.jobs import Job
from domain.store import Store
from process.parts import WorkerParts
from workers.registry import handles


@handles(ACTIVATE)
def activate_sync(payload: ActivateSync, _job: Job, _parts: WorkerParts) -> Callable[[Store], SyncActivated]:
    """Charge the first period and activate, in one transaction."""
    return partial(sync.activate, user_id=payload.user_id, interval=payload.interval, now=datetime.now(UTC))


@handles(RESUME)
def resume_sync(payload: ResumeSync, _job: Job, _parts: WorkerParts) -> Callable[[Store], SyncResumed]:
    """Activate a paused subscription again, if its user can pay."""
    return partial(sync.resume, user_id=payload.user_id, now=datetime.now(UTC))
