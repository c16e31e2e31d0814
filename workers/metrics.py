"""What workers count, and where Prometheus can read it."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog
from dramatiq.middleware import Middleware
from prometheus_client import Counter, Histogram, start_http_server

import settings
from telemetry import metrics_registry

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

jobs_total = Counter("mana_jobs_total", "Jobs by kind and outcome", ["kind", "outcome"])
job_seconds = Histogram("mana_job_seconds", "Seconds from start to end of a job", ["kind"], buckets=_BUCKETS)

log = structlog.get_logger()


@dataclass
class Outcome:
    """How a job ended; filled in by whoever did it."""

    name: str = "left"


@contextmanager
def timed(kind: str) -> Iterator[Outcome]:
    """Count a job and its time when the block ends, however it ends."""
    outcome, began = Outcome(), time.perf_counter()
    try:
        yield outcome
    finally:
        jobs_total.labels(kind, outcome.name).inc()
        job_seconds.labels(kind).observe(time.perf_counter() - began)


def count_together(kind: str, *, done: int, took_s: float) -> None:
    """Count jobs that were done in one transaction, and the time of each as its share."""
    jobs_total.labels(kind, "done").inc(done)
    for _ in range(done):
        job_seconds.labels(kind).observe(took_s / done)


class MetricsServer(Middleware):
    """Makes Dramatiq's master fork one more process that serves the metrics of all workers, on loopback."""

    @property
    def forks(self) -> list[Callable[[], int]]:
        """What Dramatiq runs in processes of their own."""
        return [serve]


def serve() -> int:
    """Serve `/metrics` until the master ends. A port in use is no reason to stop working: it is logged."""
    port = settings.load().worker_metrics_port
    try:
        if port:
            start_http_server(port, addr="127.0.0.1", registry=metrics_registry())
    except OSError as error:
        log.warning("metrics_not_served", port=port, error=str(error))
    signal.sigwait({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
    return 0
