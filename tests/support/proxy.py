"""A proxy before a server, which can fall silent: it keeps its connections open and forwards nothing."""

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

TURN_S = 0.02
"""How long the proxy waits before it looks at its connections again."""


class SilentProxy:
    """Forwards TCP on a loopback port of its own.

    Args:
        port: Where the server listens, on loopback.
    """

    def __init__(self, port: int) -> None:
        self._server = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.is_silent = False
        self._is_over = False
        self._forgotten: list[socket.socket] = []
        self._peers: dict[socket.socket, socket.socket] = {}
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def before(self, url: str) -> str:
        """Return the address of a database behind this proxy."""
        return url.replace(f":{urlsplit(url).port}/", f":{self.port}/")

    def forget(self) -> int:
        """Forward nothing more on the connections there are, and leave them open; returns how many."""
        forgotten = [*self._peers]
        self._forgotten += forgotten
        self._peers = {}
        return len(forgotten) // 2

    def close(self) -> None:
        """Stop, and close every connection."""
        self._is_over = True
        self._thread.join()

    def _run(self) -> None:
        while not self._is_over:
            if self.is_silent:
                threading.Event().wait(TURN_S)  # connections are still accepted, by the kernel
                continue
            for ready in select.select([self._listener, *self._peers], [], [], TURN_S)[0]:
                self._accept() if ready is self._listener else self._forward(ready)
        for opened in [self._listener, *self._peers, *self._forgotten]:
            opened.close()

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        server = socket.create_connection(self._server)
        self._peers |= {client: server, server: client}

    def _forward(self, source: socket.socket) -> None:
        if source not in self._peers:  # its peer ended in this turn
            return
        try:
            received = source.recv(65_536)
            self._peers[source].sendall(received)
        except OSError:
            received = b""
        if not received:
            peer = self._peers.pop(source)
            del self._peers[peer]
            source.close()
            peer.close()


@contextmanager
def silent_proxy(url: str) -> Iterator[SilentProxy]:
    """Start a proxy before the server of an address."""
    proxy = SilentProxy(urlsplit(url).port or 5432)
    try:
        yield proxy
    finally:
        proxy.close()
