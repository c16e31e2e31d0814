"""What anyone may ask: is it alive, is it ready, what does it speak."""

from datetime import UTC, datetime
from typing import Literal

from flask import Response, json, render_template

from domain.errors import Busy, Unavailable
from domain.store import UnfitDatabase
from web.http import auth
from web.http.api import Answer, Api
from web.http.models import Instant, Model
from web.http.surroundings import surroundings
from web.metrics import exposition

api = Api("public", auth.public, prefix="")


class Health(Model):
    """The process answers."""

    status: Literal["ok"] = "ok"
    service: Literal["mana-credits"] = "mana-credits"
    timestamp: Instant


class Ready(Model):
    """What this process needs, and whether it is there. Without Redis jobs start a little later: `degraded`."""

    status: Literal["ok", "degraded", "unavailable"]
    postgresql: Literal["ok", "unavailable", "unfit"]
    redis: Literal["ok", "unavailable"]


@api.operation("GET", "/health", answers=Health)
def get_health() -> Health:
    """Tell that the process is alive; touches nothing."""
    return Health(timestamp=datetime.now(UTC))


@api.operation("GET", "/ready", answers=Ready, also={503: Ready})
def get_readiness() -> Answer:
    """Tell whether requests can be served: 503 without PostgreSQL."""
    around = surroundings()
    redis: Literal["ok", "unavailable"] = "ok" if around.bell.is_working() else "unavailable"
    postgresql: Literal["ok", "unavailable", "unfit"] = "ok"
    try:
        around.database.check()
    except UnfitDatabase:
        postgresql = "unfit"
    except (Busy, Unavailable):
        postgresql = "unavailable"
    if postgresql != "ok":
        told = Ready(status="unavailable", postgresql=postgresql, redis=redis)
        return Answer(body=told, status=503, headers={"Retry-After": "1"})
    return Answer(body=Ready(status="ok" if redis == "ok" else "degraded", postgresql=postgresql, redis=redis))


@api.get("/metrics")
def metrics() -> Response:
    """Serve the metrics of all web processes, and what the database knows of the house, to Prometheus."""
    return exposition(surroundings())


@api.get("/openapi.json")
def openapi() -> Response:
    """Serve the OpenAPI document."""
    return Response(json.dumps(surroundings().openapi), mimetype="application/json")


@api.get("/docs")
def docs() -> Response:
    """Serve the OpenAPI document as a page."""
    page = Response(render_template("docs.html", api=surroundings().openapi), mimetype="text/html")
    page.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'self'; frame-ancestors 'none'"
    return page
