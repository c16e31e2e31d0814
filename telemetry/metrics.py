"""Every metric of the service is declared here: counters, histograms, and the gauges read from PostgreSQL."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram
from prometheus_client.multiprocess import MultiProcessCollector

REQUEST_BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
JOB_BUCKETS_S: Final = (*REQUEST_BUCKETS_S, 30)

requests_total = Counter("mana_http_requests_total", "Answers by route and status", ["method", "route", "status"])
request_seconds = Histogram("mana_http_request_seconds", "Seconds to an answer", ["route"], buckets=REQUEST_BUCKETS_S)
jobs_total = Counter("mana_jobs_total", "Jobs by kind and outcome", ["kind", "outcome"])
job_seconds = Histogram("mana_job_seconds", "Seconds from start to end of a job", ["kind"], buckets=JOB_BUCKETS_S)

GAUGES: Final[Mapping[str, str]] = {
    "mana_database_up": "Whether PostgreSQL answers",
    "mana_database_pool_in_use": "Connections in use in the answering process",
    "mana_database_pool_size": "Connections it may have",
    "mana_jobs": "Jobs by kind and state",
    "mana_jobs_oldest_pending_seconds": "How long the oldest due job waits",
    "mana_jobs_oldest_failed_seconds": "How long the oldest failed job waits",
    "mana_stripe_webhook_lag_seconds": "From an event's making to its end here",
    "mana_audit_age_seconds": "Since the books were last proved",
    "mana_invariant_violations": "Rows that break an invariant",
}
"""What `GET /metrics` of a web process adds from PostgreSQL (`web.public.metrics`), with what each gauge says."""


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


def metrics_registry() -> CollectorRegistry:
    """Find the metrics of all processes of this program, or of this one where it runs alone.

    Whoever starts several processes sets `PROMETHEUS_MULTIPROC_DIR`, which the library reads; it is no setting of ours.
    """
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry
