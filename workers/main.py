"""Entry point of `dramatiq workers.main` and `periodiq workers.main`: the broker, its actors, the tick."""

from typing import Final
from uuid import UUID

import dramatiq
from periodiq import cron

import settings
import workers.handlers  # noqa: F401 - registers the handlers
from domain.rules.jobs import Queue
from gateways.bell import actor_name, queue_name
from process.parts import worker_parts
from telemetry.logs import configure_logging
from workers.broker import worker_broker
from workers.jobs import run_jobs, take_turns
from workers.metrics_server import MetricsServer
from workers.schedule import record_due, watch_sync
from workers.sweeper import Sweeper

TIME_LIMIT_MS = 600_000
"""After this a message is abandoned; its jobs are still pending, and the sweeper rings for them."""

PRIORITIES: Final = {Queue.DEFAULT: 0, Queue.RENEWALS: 10, Queue.NOTIFY: 20}
"""Which message a free thread takes first, smallest number first: a wave of renewals delays no purchase."""

configure_logging()
configured = settings.load()
broker = worker_broker(configured.redis_url, namespace=configured.redis_namespace, extra=[Sweeper(), MetricsServer()])
dramatiq.set_broker(broker)


def _take_turns(job_ids: list[str]) -> None:
    take_turns([UUID(job_id) for job_id in job_ids], worker_parts())


def _run_jobs(job_ids: list[str]) -> None:
    run_jobs([UUID(job_id) for job_id in job_ids], worker_parts())


for queue in Queue:
    as_actor = dramatiq.actor(
        actor_name=actor_name(queue),
        queue_name=queue_name(queue),
        priority=PRIORITIES[queue],
        time_limit=TIME_LIMIT_MS,
        broker=broker,
    )
    as_actor(_take_turns if queue is Queue.DEFAULT else _run_jobs)


@dramatiq.actor(queue_name=queue_name(Queue.DEFAULT), periodic=cron("* * * * *"), broker=broker)
def tick() -> None:
    """Record the scheduled jobs of now. Any number of ticks in a minute record the same jobs once."""
    record_due(worker_parts())
    watch_sync(worker_parts())
