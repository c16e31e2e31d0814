"""Jobs of kind `notify`: posting notices to users."""

from collections.abc import Callable

from domain.rules.job_kinds import NOTIFY
from domain.rules.job_payloads import Notified, Notify
from domain.rules.jobs import Job
from domain.rules.notices import message
from domain.store import Store
from process.parts import WorkerParts
from workers.registry import handles


@handles(NOTIFY)
def notify(payload: Notify, job: Job, parts: WorkerParts) -> Callable[[Store], Notified]:
    """Post a notice. A crash before the job's end posts it again, with the same idempotency key."""
    if parts.notifier is None:
        return lambda _store: Notified(sent=False)
    parts.notifier.send(payload.user_id, message(payload.message), key=str(job.id))
    return lambda _store: Notified(sent=True)
