"""The web server: `python -m web.server`. Each option of granian is set here, with its reason."""

from typing import Final

from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels

import settings
from process.connections import make_room
from web.app import create_app
from web.http.intake import Intake

WORKERS: Final = 2
"""Processes. Python works on one request of a process at a time; more processes than processors gain nothing."""

SILENT_MS: Final = 10_000
"""How long a connection may be open without the complete head of a request, between two requests as well."""


def create() -> Intake:
    """Build the application of a process."""
    return Intake(create_app())


def main() -> None:
    """Serve until we are asked to end."""
    Granian(
        "web.server:create",
        factory=True,
        # All interfaces: a proxy on another machine or in another container reaches us.
        address="0.0.0.0",  # noqa: S104
        port=settings.port(),
        # ASGI without lifespan: only it lets us set a deadline for a body.
        interface=Interfaces.ASGINL,
        loop=Loops.asyncio,
        workers=WORKERS,
        # Many streams on one connection would pass every bound that counts connections.
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=SILENT_MS),
        websockets=False,
        # Connections that wait to be accepted: a burst of clients is served late and not refused.
        backlog=2048,
        # More connections than files it may open would stop a process from accepting any.
        backpressure=make_room(),
        # Requests end within 10 s of waiting and 5 s of working; then a process that hangs is killed.
        workers_kill_timeout=20,
        # A process that dies takes its requests with it; the next one must be there at once.
        respawn_failed_workers=True,
        respawn_interval=0.2,
        log_level=LogLevels.warning,
    ).serve()


if __name__ == "__main__":
    main()
