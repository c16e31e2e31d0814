"""Where Prometheus reads the metrics of the workers."""

import signal
from collections.abc import Callable

import structlog
from dramatiq.middleware import Middleware
from prometheus_client import start_http_server

import settings
from telemetry.metrics import metrics_registry

log = structlog.get_logger()


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
