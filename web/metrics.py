"""What Prometheus reads here: requests of all web processes, and what PostgreSQL knows of the whole house."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from domain.errors import Busy, Unavailable
from domain.store import UnfitDatabase
from domain.store.gauges import Gauges, read_gauges
from telemetry import metrics_registry

if TYPE_CHECKING:
    from web.http.surroundings import Surroundings


class HouseCollector(Collector):
    """Reads the state of the house from PostgreSQL at each scrape."""

    def __init__(self, around: "Surroundings") -> None:
        self._around = around

    def collect(self) -> Iterable[Metric]:
        """Read the gauges; without PostgreSQL only that it is away."""
        in_use, size = self._around.database.pool_use
        yield _gauge("mana_database_pool_in_use", "Connections in use in the answering process", in_use)
        yield _gauge("mana_database_pool_size", "Connections it may have", size)
        try:
            with self._around.database.single() as store:
                gauges = read_gauges(store)
        except (Busy, Unavailable, UnfitDatabase):
            yield _gauge("mana_database_up", "Whether PostgreSQL answers", 0)
            return
        yield _gauge("mana_database_up", "Whether PostgreSQL answers", 1)
        yield from _house(gauges)


def exposition(around: "Surroundings") -> Response:
    """Write the metrics in Prometheus' text format."""
    house = CollectorRegistry(auto_describe=False)
    house.register(HouseCollector(around))
    return Response(generate_latest(metrics_registry()) + generate_latest(house), content_type=CONTENT_TYPE_LATEST)


def _gauge(name: str, documentation: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, documentation, value=value)


def _house(gauges: Gauges) -> Iterable[Metric]:
    yield _gauge("mana_jobs_oldest_pending_seconds", "How long the oldest due job waits", gauges.oldest_pending_s)
    yield _gauge("mana_jobs_oldest_failed_seconds", "How long the oldest failed job waits", gauges.oldest_failed_s)
    yield _gauge("mana_stripe_webhook_lag_seconds", "From an event's making to its end here", gauges.webhook_lag_s)
    yield _gauge("mana_audit_age_seconds", "Since the books were last proved", gauges.audit_age_s)
    jobs = GaugeMetricFamily("mana_jobs", "Jobs by kind and state", labels=["kind", "state"])
    for (kind, state), count in gauges.jobs.items():
        jobs.add_metric([kind, state], count)
    yield jobs
    violations = GaugeMetricFamily("mana_invariant_violations", "Rows that break an invariant", labels=["invariant"])
    for invariant, count in gauges.violations.items():
        violations.add_metric([invariant], count)
    yield violations
