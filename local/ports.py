"""TCP ports on loopback: find a free one, and use the same one again at the next start."""

import contextlib
import errno
import random
import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"
# Below the range from which systems take the ports of outgoing connections (32768 and up on Linux), so that no client
# can take the port of a killed server before that server is started again.
FIRST_PORT, LAST_PORT = 20_000, 29_999
TRIES_MAX = 200


def is_free(port: int) -> bool:
    """Return whether a server could listen on this port of the loopback interface now."""
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
    """Return a free port, chosen at random.

    Raises:
        RuntimeError: none of the ports that were tried was free.
    """
    generator = random.SystemRandom()
    for _ in range(TRIES_MAX):
        port = generator.randint(FIRST_PORT, LAST_PORT)
        if is_free(port):
            return port
    raise RuntimeError(f"no free port between {FIRST_PORT} and {LAST_PORT} in {TRIES_MAX} tries")


def remembered_port(port_file: Path, *, preferred: int | None = None) -> int:
    """Return `preferred` if it is free, else the port in `port_file` if free, else another; write it to `port_file`."""
    candidates = [] if preferred is None else [preferred]
    with contextlib.suppress(FileNotFoundError, ValueError):
        candidates.append(int(port_file.read_text(encoding="ascii")))
    port = next((port for port in candidates if is_free(port)), None) or free_port()
    port_file.parent.mkdir(parents=True, exist_ok=True)
    port_file.write_text(f"{port}\n", encoding="ascii")
    return port
