"""The load generator: one thread, kept-alive connections, each with one request under way.

Python's sockets and epoll, about 30 CPU-µs a request. Its own CPU is left out of what is measured, but it shares the
machine's cores with the service and PostgreSQL, as pgbench does with PostgreSQL.
"""

import json
import selectors
import socket
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

_END_OF_HEAD: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length: "
_RECEIVE_BYTES: Final = 65_536

Talk = Generator[bytes, bytes, None]
"""Requests that depend on each other: yields each request, and receives the body of its answer."""


@dataclass
class Measured:
    """What a run measured.

    Attributes:
        seconds: How long it took.
        latencies_s: Of each answer.
        statuses: How many answers of each status.
    """

    seconds: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)

    @property
    def per_second(self) -> float:
        """Answers per second."""
        return len(self.latencies_s) / self.seconds

    def percentile_ms(self, share: float) -> float:
        """Latency that `share` of the answers did not exceed, in milliseconds."""
        ordered = sorted(self.latencies_s)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1_000

    @property
    def remark(self) -> str:
        """The statuses other than 200 and 201, with their counts; empty if there are none."""
        unexpected = {status: count for status, count in self.statuses.items() if status not in {200, 201}}
        return f"not 200: {unexpected}" if unexpected else ""


class _Connection:
    """One connection, and the request under way on it."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.sent_at = 0.0

    def send_next(self, requests: Iterator[bytes]) -> bool:
        """Send the next request; False if there is none."""
        request = next(requests, None)
        if request is None:
            return False
        self.received = b""
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)
        return True

    def send_reply(self, talk: Talk) -> bool:
        """Give a conversation the body that came, and send its next request; False if it is over."""
        try:
            request = talk.send(self.received.partition(_END_OF_HEAD)[2])
        except StopIteration:
            return False
        return self.send_next(iter([request]))

    def read_status(self) -> int | None:
        """Read what has arrived; returns the status once the answer is complete, else `None`."""
        chunk = self.socket.recv(_RECEIVE_BYTES)
        if not chunk:
            raise ConnectionError("the service closed a connection")
        self.received += chunk
        head, end, body = self.received.partition(_END_OF_HEAD)
        if not end:
            return None
        start = head.lower().find(_LENGTH) + len(_LENGTH)
        length = int(head[start:].split(b"\r\n", 1)[0])
        return int(head[9:12]) if len(body) >= length else None


def run(port: int, request: Callable[[], bytes], *, connections: int, seconds: float) -> Measured:
    """Send requests as fast as they are answered, for some seconds.

    Args:
        request: Builds the next request, head and body.
        connections: How many requests are under way at any moment.
    """
    until = time.perf_counter() + seconds
    return run_all(
        port, iter(lambda: request() if time.perf_counter() < until else None, None), connections=connections
    )


def run_all(port: int, requests: Iterator[bytes], *, connections: int) -> Measured:
    """Send all the requests, each connection the next one when its last is answered."""
    measured = Measured()
    with selectors.DefaultSelector() as selector:
        opened = [_Connection(port) for _ in range(connections)]
        began = time.perf_counter()
        for connection in opened:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
        under_way = sum(connection.send_next(requests) for connection in opened)
        while under_way:
            for key, _ in selector.select():
                status = key.data.read_status()
                if status is None:
                    continue
                measured.latencies_s.append(time.perf_counter() - key.data.sent_at)
                measured.statuses[status] = measured.statuses.get(status, 0) + 1
                under_way -= not key.data.send_next(requests)
        measured.seconds = time.perf_counter() - began
        for connection in opened:
            connection.socket.close()
    return measured


def run_talks(port: int, talk: Callable[[], Talk], *, connections: int, seconds: float) -> Measured:
    """Hold conversations one after another on each connection, for some seconds.

    A latency is that of a whole conversation; statuses are those of all answers.
    """
    measured = Measured()
    began = time.perf_counter()
    talks: dict[_Connection, tuple[Talk, float]] = {}

    def begin(connection: _Connection) -> None:
        talks[connection] = (talk(), time.perf_counter())
        connection.send_next(talks[connection][0])

    with selectors.DefaultSelector() as selector:
        for connection in [_Connection(port) for _ in range(connections)]:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            begin(connection)
        while talks:
            for key, _ in selector.select():
                status = key.data.read_status()
                if status is None:
                    continue
                measured.statuses[status] = measured.statuses.get(status, 0) + 1
                if key.data.send_reply(talks[key.data][0]):
                    continue
                measured.latencies_s.append(time.perf_counter() - talks.pop(key.data)[1])
                if time.perf_counter() < began + seconds:
                    begin(key.data)
        measured.seconds = time.perf_counter() - began
        for registered in list(selector.get_map().values()):
            registered.data.socket.close()
    return measured


def http(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """Write a request as it is sent; header names are given with `_` for `-`."""
    lines = [f"{method} {path} HTTP/1.1", "Host: bench", f"Content-Length: {len(body)}"]
    if body:
        lines.append("Content-Type: application/json")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + _END_OF_HEAD + body


def post(path: str, body: Any, **headers: str) -> bytes:
    """Write a POST request with a JSON body."""
    return http("POST", path, json.dumps(body).encode(), **headers)
