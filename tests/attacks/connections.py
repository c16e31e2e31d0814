"""Attacks with sockets: who sends slowly, nothing, too much, or another protocol."""

import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final
from urllib.parse import urlsplit

from local.stack import LocalStack

SLOW: Final = 200
ATTACK_S: Final = 15.0
BODY_PATHS: Final = ("/ops/login", "/api/v1/webhooks/stripe", "/api/v1/credits/use", "/api/v1/gifts/redeem")

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS: Final = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"


def slow_bodies(stack: LocalStack) -> Counter[int]:
    """Drip 200 bodies, a byte a second, while 200 connections say nothing at all."""
    with many(stack, SLOW) as slow, many(stack, SLOW):
        for number, connection in enumerate(slow):
            connection.sendall(post(BODY_PATHS[number % len(BODY_PATHS)], 60_000))
        until = time.monotonic() + ATTACK_S
        while time.monotonic() < until:
            for connection in slow:
                drip(connection)
            time.sleep(1)
        return Counter(status for connection in slow for status in [status_on(connection)])


def silent_bodies(stack: LocalStack) -> Counter[int]:
    """Announce 400 bodies and send nothing of them."""
    with many(stack, 2 * SLOW) as silent:
        for number, connection in enumerate(silent):
            connection.sendall(post(BODY_PATHS[number % len(BODY_PATHS)], 200_000))
        return Counter(status_on(connection) for connection in silent)


def senders_that_leave(stack: LocalStack) -> Counter[int]:
    """Announce a body and go away, a thousand times."""
    for number in range(1_000):
        with many(stack, 1) as (connection,):
            connection.sendall(post(BODY_PATHS[number % len(BODY_PATHS)], 60_000) + b"{}")
    return Counter()


def http2_streams(stack: LocalStack) -> Counter[int]:
    """Speak HTTP/2 on twenty connections, as one knows in advance that the server does."""
    with many(stack, 20) as connections:
        for connection in connections:
            connection.sendall(PREFACE + SETTINGS)
        return Counter(status_on(connection) for connection in connections)


def bodies_nobody_reads(stack: LocalStack) -> Counter[int]:
    """Send bodies that are refused at once, and the next request on the same connection."""
    statuses: Counter[int] = Counter()
    for size in (60_000, 200_000, 900_000):
        for _ in range(50):
            with many(stack, 1) as (connection,):
                connection.sendall(post("/api/v1/credits/use", size) + b" " * size)
                statuses[status_on(connection)] += 1
    return statuses


@contextmanager
def many(stack: LocalStack, count: int) -> Iterator[list[socket.socket]]:
    """Open connections, and close them at the end of the block."""
    address = urlsplit(stack.base_url)
    with ExitStack() as open_connections:
        yield [
            open_connections.enter_context(socket.create_connection((address.hostname or "", address.port or 0), 20))
            for _ in range(count)
        ]


def post(path: str, length: int) -> bytes:
    """Write the head of a request with a body."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json", f"Content-Length: {length}"]
    return "\r\n".join([*lines, "", ""]).encode()


def drip(connection: socket.socket) -> None:
    """Send a byte, unless the server has closed."""
    try:
        connection.sendall(b" ")
    except OSError:
        return


def status_on(connection: socket.socket) -> int:
    """Read the status that was answered; 0 for none."""
    try:
        answer = connection.recv(65_536)
    except OSError:
        return 0
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0
