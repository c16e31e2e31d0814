"""What happens around every request: its id, its log line, its metrics, the headers of every answer."""

import re
import time
from functools import cache
from typing import Final

import structlog
from flask import Flask, Response, g, request

from domain.ids import new_id
from telemetry.metrics import request_seconds, requests_total

_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_QUIET: Final = frozenset({"/health", "/ready", "/metrics"})
log = structlog.get_logger()

_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}


def request_id() -> str:
    """Return the id of this request: the caller's if it sent a valid one, else a new one."""
    return str(g.request_id)


def install(app: Flask) -> None:
    """Give every request an id, a log line and metrics, and every answer its headers."""
    app.before_request(_begin)
    app.after_request(_end)


def _begin() -> None:
    g.began = time.perf_counter()
    sent_id = request.headers.get("X-Request-Id", "")
    g.request_id = sent_id if _ID.fullmatch(sent_id) else new_id().hex
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _end(answer: Response) -> Response:
    current, status = request._get_current_object(), answer.status_code  # type: ignore[attr-defined] # noqa: SLF001
    answer.headers.extend({**_HEADERS, "X-Request-Id": g.request_id})
    answer.headers.setdefault("Cache-Control", "no-store")
    seconds = time.perf_counter() - g.began
    route = current.url_rule.rule if current.url_rule else "unknown"
    # A client may send any method; the number of metrics must not grow with them.
    _counter(current.method if current.method in _METHODS else "other", route, status).inc()
    _histogram(route).observe(seconds)
    if route not in _QUIET:
        # The route, never the path: paths hold gift codes.
        log.info("request", method=current.method, route=route, status=status, ms=round(seconds * 1000, 1))
    return answer


# Looking up labels costs more than counting. There are only as many as routes.
_counter = cache(requests_total.labels)
_histogram = cache(request_seconds.labels)
