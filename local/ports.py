"""Ports on loopback: a free one, and the same one again next time."""

import contextlib
import errno
import random
import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"
# Below the range from which systems take the ports of outgoing connections (32768 and up on Linux), so that the port
# of a server that was killed cannot be taken by somebody's client before the server is back.
FIRST_PORT, LAST_PORT = 20_000, 29_999
TRIES_MAX = 200


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this port of the loopback interface now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
            raise
        return True


def free_port() -> int:
    """Find a free port.

    Raises:
        RuntimeError: none was free after many tries.
    """
    chooser = random.SystemRandom()
    for _ in range(TRIES_MAX):
        port = chooser.randint(FIRST_PORT, LAST_PORT)
        if is_free(port):
            return port
    raise RuntimeError(f"no free port between {FIRST_PORT} and {LAST_PORT} in {TRIES_MAX} tries")


def remembered_port(memory: Path, *, preferred: int | None = None) -> int:
    """Give `preferred` if it is free, else the port in the file `memory`, else another; remember it there."""
    wanted = [] if preferred is None else [preferred]
    with contextlib.suppress(FileNotFoundError, ValueError):
        wanted.append(int(memory.read_text(encoding="ascii")))
    port = next((port for port in wanted if is_free(port)), None) or free_port()
    memory.parent.mkdir(parents=True, exist_ok=True)
    memory.write_text(f"{port}\n", encoding="ascii")
    return port
