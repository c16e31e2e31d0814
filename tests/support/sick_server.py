"""A machine outside that is sick: it accepts connections and does with them what the test says."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

OK: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

Behaviour = Callable[[socket.socket, threading.Event], None]
"""What happens to a connection after its request was read; the event is set when the test is over."""


class SickServer:
    """A server on a free port. `behaviour` may be changed; `connections` counts."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.connections = 0
        self.over = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            if self.over.is_set():
                connection.close()
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                connection.recv(65_536)
                self.behaviour(connection, self.over)
            except OSError:
                """The other side has hung up."""

    def close(self) -> None:
        """End every connection; the second time does nothing."""
        if self.over.is_set():
            return
        self.over.set()
        socket.create_connection(self._socket.getsockname()).close()
        for thread in self._threads:
            thread.join()
        self._socket.close()


@contextmanager
def sick_server(behaviour: Behaviour) -> Iterator[SickServer]:
    """Run a sick server."""
    server = SickServer(behaviour)
    try:
        yield server
    finally:
        server.close()


def drips(start: bytes) -> Behaviour:
    """Send a beginning, then a byte now and then, for ever."""

    def behave(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(start)
        while not over.wait(0.05):
            connection.sendall(b" ")

    return behave


def answers(content: bytes) -> Behaviour:
    """Send these bytes and hang up."""
    return lambda connection, _over: connection.sendall(content)


def body(content: bytes) -> bytes:
    """Write a whole answer with this body."""
    return OK + f"Content-Length: {len(content)}\r\n\r\n".encode() + content
