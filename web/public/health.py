"""Whether a process is alive, and whether it is ready to serve."""

from datetime import UTC, datetime
from typing import Literal

from web.http import auth
from web.http.answer import Answer
from web.http.api import Api
from web.http.models import Instant, Model
from web.http.parts import current_parts

api = Api("public_health", auth.public, prefix="")


class Health(Model):
    """The process answers."""

    status: Literal["ok"] = "ok"
    service: Literal["mana-credits"] = "mana-credits"
    timestamp: Instant


class Ready(Model):
    """Whether PostgreSQL and Redis can be used. Without Redis jobs start a little later: `degraded`."""

    status: Literal["ok", "degraded", "unavailable"]
    postgresql: Literal["ok", "unavailable", "unfit"]
    redis: Literal["ok", "unavailable"]


@api.operation("GET", "/health", answers=Health)
def get_health() -> Health:
    """Report that the process is alive. Uses no database and no Redis."""
    return Health(timestamp=datetime.now(UTC))


@api.operation("GET", "/ready", answers=Ready, also={503: Ready})
def get_readiness() -> Answer:
    """Report whether requests can be served: 503 without PostgreSQL, and while it takes no writes."""
    parts = current_parts()
    redis: Literal["ok", "unavailable"] = "ok" if parts.bell.is_working() else "unavailable"
    postgresql = parts.readiness.state()
    if postgresql != "ok":
        unavailable = Ready(status="unavailable", postgresql=postgresql, redis=redis)
        return Answer(body=unavailable, status=503, headers={"Retry-After": "1"})
    return Answer(body=Ready(status="ok" if redis == "ok" else "degraded", postgresql=postgresql, redis=redis))
