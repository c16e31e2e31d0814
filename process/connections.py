"""How many connections a web process answers at once. Each takes one of the files that the system lets it open."""

import resource
from typing import Final

CONNECTIONS_MAX: Final = 4_000
"""Connections of a process; further ones wait until one of them ends."""

OTHER_FILES: Final = 100
"""Open files besides connections: to the database, Redis and the issuer, metrics, and the program's own files."""

LOW: Final = 1_000
"""With room for fewer connections than this, a few hundred silent clients can keep everybody else waiting."""


def room() -> int:
    """Return how many connections a process can answer at once: as many as the system allows, at most our bound."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = CONNECTIONS_MAX if hard == resource.RLIM_INFINITY else hard - OTHER_FILES
    return max(1, min(CONNECTIONS_MAX, allowed))


def make_room() -> int:
    """Raise this process's own limit of open files to what `room` needs; returns the room."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = room() + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
        )
    return room()
