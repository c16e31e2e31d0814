"""The bell: Redis wakes the workers. A message holds job ids only; losing one delays a job, but never loses it."""

import threading
import time
from collections.abc import Iterable, Mapping
from typing import Final
from uuid import UUID

import dramatiq
import redis
import structlog
from dramatiq.brokers.redis import RedisBroker

from domain.rules.jobs import Job, Queue

SERVICE: Final = "mana-credits"
RING_TIMEOUT_S: Final = 0.1
"""The most time that ringing may take of a request, in seconds."""

RING_PAUSE_S: Final = 1.0
"""How long nothing is sent after a failure; the sweeper rings again later."""

IDS_PER_MESSAGE: Final[Mapping[Queue, int]] = {Queue.DEFAULT: 50, Queue.RENEWALS: 200, Queue.NOTIFY: 10}
"""Renewals are done together; a notice may take seconds to send, so few notices wait for each other."""

log = structlog.get_logger()


def queue_name(queue: Queue) -> str:
    """Name a queue in Redis: a name that no other Dramatiq application gives to its own."""
    return f"{SERVICE}-{queue.value}"


def actor_name(queue: Queue) -> str:
    """Name the actor that does the jobs of a queue."""
    return f"jobs-{queue.value}"


class Bell:
    """Rings for jobs: best effort, at most `RING_TIMEOUT_S`, and not for a second after a failure.

    Args:
        namespace: What the names of our keys in Redis start with.
    """

    def __init__(self, redis_url: str, *, namespace: str, timeout_s: float = RING_TIMEOUT_S) -> None:
        client = redis.Redis.from_url(redis_url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s)
        self._broker = RedisBroker(client=client, middleware=[], namespace=namespace)  # type: ignore[no-untyped-call]
        self._silent_until = 0.0
        self._lock = threading.Lock()

    def ring(self, *jobs: Job) -> None:
        """Wake the workers of each job's queue. Call it after the commit."""
        by_queue: dict[Queue, list[UUID]] = {}
        for job in jobs:
            by_queue.setdefault(job.queue, []).append(job.id)
        self.ring_ids(by_queue)

    def ring_ids(self, by_queue: Mapping[Queue, Iterable[UUID]]) -> None:
        """Ring for many jobs, some of them in each message."""
        for queue, ids in by_queue.items():
            waiting = [str(job_id) for job_id in ids]
            most = IDS_PER_MESSAGE[queue]
            for first in range(0, len(waiting), most):
                self._send(queue, waiting[first : first + most])

    def is_working(self) -> bool:
        """Tell whether Redis answers."""
        try:
            return bool(self._broker.client.ping())
        except redis.RedisError:
            return False

    def _send(self, queue: Queue, job_ids: list[str]) -> None:
        if time.monotonic() < self._silent_until:
            return
        message: dramatiq.Message[None] = dramatiq.Message(
            queue_name=queue_name(queue), actor_name=actor_name(queue), args=(), kwargs={"job_ids": job_ids}, options={}
        )
        try:
            self._broker.enqueue(message)
        except redis.RedisError as error:
            with self._lock:
                self._silent_until = time.monotonic() + RING_PAUSE_S
            log.warning("bell_failed", queue=queue.value, error=type(error).__name__)
