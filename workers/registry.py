"""Which handler does which kind of job. Handlers register themselves; `workers.handlers` imports all of them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from domain.operations.jobs import Write, WriteAll
from domain.rules.jobs import AnyKind, Job, JobKind, P, R
from domain.store import Store
from process.parts import WorkerParts

Handler = Callable[[P, Job, WorkerParts], Callable[[Store], R]]
"""Does what must be done outside this machine, and returns the write that ends the job.

It is called outside any transaction, and may be called again for the same job at any time: what it does outside carries
an idempotency key made from our row id.
"""

TogetherHandler = Callable[[WorkerParts], Callable[[Store, Sequence[Job]], Mapping[UUID, R]]]
"""Makes the write that does many jobs of a kind in one transaction. Such a kind does nothing outside this machine."""

HANDLERS: Final[dict[AnyKind, Callable[[Job, WorkerParts], Write]]] = {}
"""Do one job; there is one for every kind."""

TOGETHER: Final[dict[AnyKind, Callable[[WorkerParts], WriteAll]]] = {}
"""Do many jobs in one transaction; for the kinds that can."""


def handles(kind: JobKind[P, R]) -> Callable[[Handler[P, R]], Handler[P, R]]:
    """Register the handler of a kind. It is called with the job's payload, read as the kind's class."""

    def register(handler: Handler[P, R]) -> Handler[P, R]:
        def handle(job: Job, parts: WorkerParts) -> Write:
            return handler(kind.read_payload(job), job, parts)

        HANDLERS[kind] = handle
        return handler

    return register


def handles_together(kind: JobKind[Any, R]) -> Callable[[TogetherHandler[R]], TogetherHandler[R]]:
    """Register what does many jobs of a kind at once. A job that it leaves out is done alone."""

    def register(handler: TogetherHandler[R]) -> TogetherHandler[R]:
        TOGETHER[kind] = handler
        return handler

    return register
