"""Metrics for Prometheus: requests of all web processes, and the state of the service in PostgreSQL."""

from collections.abc import Iterable
from functools import partial
from typing import Final

from flask import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from domain.errors import Busy, Unavailable
from domain.store import UnfitDatabase
from domain.store.gauges import Gauges, read_gauges
from telemetry.metrics import GAUGES, metrics_registry
from web.http import auth
from web.http.api import Api
from web.http.kept_answers import answer_kept
from web.http.parts import Parts, current_parts

api = Api("public_metrics", auth.public, prefix="")

KEPT_S: Final = 1.0
"""However often they are read, they are collected once in this time, in each process."""


@api.get("/metrics")
def metrics() -> Response:
    """Serve the metrics of all web processes, and those read from the database, to Prometheus."""
    parts = current_parts()
    return answer_kept(
        parts.kept_answers,
        ("metrics",),
        partial(exposition, parts),
        kept_s=KEPT_S,
        content_type=CONTENT_TYPE_LATEST,
        cache_control="no-store",
    )


class DatabaseCollector(Collector):
    """Reads the state of the service from PostgreSQL at each scrape."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def collect(self) -> Iterable[Metric]:
        """Read the gauges; without PostgreSQL only `mana_database_up` = 0 and the pool."""
        in_use, size = self._parts.database.pool_use
        yield _gauge("mana_database_pool_in_use", in_use)
        yield _gauge("mana_database_pool_size", size)
        try:
            with self._parts.database.read() as reader:
                gauges = read_gauges(reader)
        except (Busy, Unavailable, UnfitDatabase):
            yield _gauge("mana_database_up", 0)
            return
        yield _gauge("mana_database_up", 1)
        yield from _service_gauges(gauges)


def exposition(parts: Parts) -> bytes:
    """Write all metrics in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(DatabaseCollector(parts))
    return generate_latest(metrics_registry()) + generate_latest(registry)


def _gauge(name: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, GAUGES[name], value=value)


def _service_gauges(gauges: Gauges) -> Iterable[Metric]:
    yield _gauge("mana_jobs_oldest_pending_seconds", gauges.oldest_pending_s)
    yield _gauge("mana_jobs_oldest_failed_seconds", gauges.oldest_failed_s)
    yield _gauge("mana_stripe_webhook_lag_seconds", gauges.webhook_lag_s)
    yield _gauge("mana_audit_age_seconds", gauges.audit_age_s)
    jobs = GaugeMetricFamily("mana_jobs", GAUGES["mana_jobs"], labels=["kind", "state"])
    for (kind, state), count in gauges.jobs.items():
        jobs.add_metric([kind, state], count)
    yield jobs
    violations = GaugeMetricFamily(
        "mana_invariant_violations", GAUGES["mana_invariant_violations"], labels=["invariant"]
    )
    for invariant, count in gauges.violations.items():
        violations.add_metric([invariant], count)
    yield violations
