"""Requests to other machines, with a limit for the whole of each: connecting, sending, and every byte of the answer.

A time-out of a socket begins anew with every byte, so an answer that drips never ends. Here a timer shuts the
connection down when the time is over, whatever it is doing then: a TLS handshake, headers or the body.
"""

import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

ANSWER_BYTES_MAX: Final = 10_000_000
_CHUNK: Final = 65_536
_current: Final = threading.local()


class Unanswered(Exception):
    """Another machine cannot be reached, or did not answer in time, within bounds and in HTTP."""


@dataclass(frozen=True, kw_only=True)
class HttpAnswer:
    """A whole answer. The names of `headers` are found in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpClient:
    """Sends requests, one connection for each thread and machine. Safe to share between threads.

    Args:
        limit_s: How long a request may take as a whole.
        bytes_max: The largest body of an answer, unpacked.
    """

    def __init__(self, *, limit_s: float, bytes_max: int = ANSWER_BYTES_MAX) -> None:
        self._limit_s = limit_s
        self._bytes_max = bytes_max
        self._threads = threading.local()

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | str | None = None,
        verify: str | bool = True,
        follow: bool = False,
    ) -> HttpAnswer:
        """Send a request and read its whole answer.

        Args:
            verify: What certificates are checked with: the path of a bundle, or `True` for that of the library.
            follow: Whether redirects are followed, within the same limit.

        Raises:
            Unanswered: there is no whole answer.
        """
        options = {"headers": headers, "data": body, "verify": verify, "allow_redirects": follow}
        try:
            with _deadline(self._limit_s), self._send(method, url, **options) as response:
                content = self._read(response)
        except (requests.RequestException, HTTPError, HTTPException, OSError, ValueError) as error:
            raise Unanswered(type(error).__name__) from error
        return HttpAnswer(status=response.status_code, headers=response.headers, body=content)

    def _send(self, method: str, url: str, **options: Any) -> requests.Response:
        return self._session().request(method, url, timeout=self._limit_s, stream=True, **options)

    def _read(self, response: requests.Response) -> bytes:
        content = bytearray()
        for chunk in response.iter_content(_CHUNK):
            content += chunk
            if len(content) > self._bytes_max:
                raise Unanswered(f"the answer is larger than {self._bytes_max} bytes")
        return bytes(content)

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._threads, "session", None)
        if session is None:
            session = requests.Session()
            session.mount("http://", _Adapter())
            session.mount("https://", _Adapter())
            self._threads.session = session
        return session


class _Deadline:
    """Shuts the watched connection down when the time is over."""

    def __init__(self, limit_s: float) -> None:
        self._ends_at = time.monotonic() + limit_s
        self._lock = threading.Lock()
        self._twin: socket.socket | None = None
        self._is_over = False
        self._timer = threading.Timer(limit_s, self._end)
        self._timer.daemon = True
        self._timer.start()

    def watch(self, connection: socket.socket) -> None:
        """Watch a connection by a second descriptor: TLS and http.client close or exchange their own."""
        twin = socket.fromfd(connection.fileno(), connection.family, connection.type)
        with self._lock:
            if self._twin is not None:
                self._twin.close()
            self._twin = twin
            if self._is_over:
                _shut(twin)

    def close(self) -> None:
        """Stop watching.

        Raises:
            Unanswered: the time was over; what was read may be a part of the answer.
        """
        self._timer.cancel()
        with self._lock:
            if self._twin is not None:
                self._twin.close()
        if self._is_over or time.monotonic() > self._ends_at:
            raise Unanswered("the whole answer took too long")

    def _end(self) -> None:
        with self._lock:
            self._is_over = True
            if self._twin is not None:
                _shut(self._twin)


@contextmanager
def _deadline(limit_s: float) -> Iterator[None]:
    deadline = _current.deadline = _Deadline(limit_s)
    try:
        yield
    finally:
        deadline.close()


def _shut(twin: socket.socket) -> None:
    try:
        twin.shutdown(socket.SHUT_RDWR)
    except OSError:
        """It has ended already."""


class _Watched(HTTPConnection):
    """A connection that the deadline of this thread's request may shut down."""

    def _new_conn(self) -> socket.socket:
        connection = super()._new_conn()
        _current.deadline.watch(connection)
        return connection

    def request(self, *args: Any, **options: Any) -> None:
        """Send a request, perhaps on a connection that an earlier request has opened."""
        if self.sock is not None:
            _current.deadline.watch(self.sock)
        super().request(*args, **options)


class _WatchedTls(_Watched, HTTPSConnection):
    """The same with TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Watched


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedTls


class _Adapter(HTTPAdapter):
    """Opens watched connections, directly and through a proxy of the environment."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Build the pools of connections."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        """Build the pools of connections through a proxy."""
        manager = super().proxy_manager_for(*args, **options)
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
        return manager
