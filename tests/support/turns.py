"""Workers without Redis: threads that take messages from a queue of this process, as Dramatiq does."""

import queue
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from domain.operations import jobs
from domain.rules.job_kinds import PURCHASE, REDEEM, STRIPE_EVENT
from domain.rules.job_payloads import OpenPayment, RedeemGift, StripeEvent
from domain.rules.jobs import AnyNewJob, Job, NewJob, Queue
from domain.store import Database
from domain.units import UserId
from gateways.bell import Bell
from process.parts import WorkerParts
from tests.support.worker import worker
from workers.jobs import take_turn

STOP: Final = None


class Messages(Bell):
    """A bell whose messages stay in this process, in the order in which they were sent."""

    def __init__(self) -> None:
        super().__init__("redis://127.0.0.1:1/0", namespace="mana-credits")
        self.waiting: queue.SimpleQueue[UUID | None] = queue.SimpleQueue()

    def ring_ids(self, by_queue: Mapping[Queue, Iterable[UUID]]) -> None:
        """Send a message for each job."""
        for job_ids in by_queue.values():
            for job_id in job_ids:
                self.waiting.put(job_id)


@dataclass
class Workers:
    """Threads that do jobs."""

    parts: WorkerParts
    messages: Messages

    def _run(self) -> None:
        while (job_id := self.messages.waiting.get()) is not STOP:
            take_turn(job_id, self.parts)

    @contextmanager
    def running(self, count: int) -> Iterator[None]:
        """Let threads take messages until the block ends."""
        threads = [threading.Thread(target=self._run) for _ in range(count)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            for _ in threads:
                self.messages.waiting.put(STOP)
            for thread in threads:
                thread.join()


def workers_on(database: Database) -> Workers:
    """Build workers on the test's database; no thread runs yet."""
    messages = Messages()
    return Workers(parts=replace(worker(database), bell=messages), messages=messages)


def record_each(database: Database, new_jobs: Iterable[AnyNewJob]) -> list[Job]:
    """Record jobs, each in a transaction of its own as requests do."""
    recorded = []
    for new_job in new_jobs:
        with database.begin() as store:
            recorded.append(jobs.record(store, new_job).job)
    return recorded


def purchase_jobs(user_id: str, count: int) -> list[AnyNewJob]:
    """Make the jobs of purchases that do not exist."""
    return [
        NewJob(
            kind=PURCHASE,
            key=f"purchase:{user_id}:{number}",
            payload=OpenPayment(user_id=UserId(user_id), purchase_id=UUID(int=number)),
        )
        for number in range(count)
    ]


def redeem_job(user_id: str) -> AnyNewJob:
    """Make the job of a gift that does not exist."""
    return NewJob(
        kind=REDEEM, key=f"redeem:{user_id}", payload=RedeemGift(user_id=UserId(user_id), gift_id=UUID(int=1))
    )


def event_job() -> AnyNewJob:
    """Make the job of an event of Stripe."""
    return NewJob(kind=STRIPE_EVENT, key="stripe:evt_1", payload=StripeEvent(event={"id": "evt_1", "type": "x"}))
