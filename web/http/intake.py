"""How a request comes in: its body is read whole, within bounds and a deadline, before a thread begins to work on it.

This is the ASGI application that the server calls; Flask, behind it, is called through WSGI (PEP 3333). A client that
sends slowly, or not at all, occupies a connection and no thread. A request that is refused here still goes to Flask,
which answers it like every other: as a problem document, with a log line and metrics.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any, Final
from urllib.parse import unquote_to_bytes
from wsgiref.types import WSGIApplication

from flask import Flask, request
from werkzeug.exceptions import HTTPException, NotFound, RequestEntityTooLarge, RequestTimeout

from domain.errors import Busy
from web.http.problems import BadRequest

Headers = list[tuple[bytes, bytes]]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

THREADS: Final = 32
"""How many requests a process works on at once."""

BODY_S: Final = 10.0
"""How long a whole body may take to arrive."""

BODY_BYTES_MAX: Final = 64 * 1024
WEBHOOK_PATH: Final = b"/api/v1/webhooks/stripe"
WEBHOOK_BYTES_MAX: Final = 256 * 1024
"""Stripe's events are larger than any body of our own clients."""

DROPPED_BYTES_MAX: Final = 1024 * 1024
"""How much of a refused body is read and dropped, so that its sender comes to read the refusal."""

HELD_BYTES_MAX: Final = 64 * 1024 * 1024
"""How much memory of a process all bodies together may take while they arrive."""

SINGLE: Final = frozenset(
    {
        b"authorization",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"host",
        b"idempotency-key",
        b"stripe-signature",
        b"x-app-id",
        b"x-request-id",
        b"x-service-key",
    }
)
"""Headers that come once. WSGI joins two of them with a comma, which would be a new value: another key, say."""

_REFUSAL: Final = "mana.refusal"


class Disconnected(Exception):
    """The client went away before its request was complete."""


class Intake:
    """The ASGI application of a web process (https://asgi.readthedocs.io/en/latest/specs/www.html).

    Args:
        app: Answers each request, in one of `THREADS` threads.
    """

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="request")
        self._held_bytes = 0

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            environ = environ_of(scope, await self._read(scope, receive))
        except Disconnected:
            return
        except (HTTPException, BadRequest, Busy) as refusal:
            environ = {**environ_of(scope, b""), _REFUSAL: refusal}
        loop = asyncio.get_running_loop()
        status, headers, content = await loop.run_in_executor(self._threads, call, self._app, environ)
        if _REFUSAL in environ:
            # Its body may not have been read to the end: the rest of it would be taken for the next request.
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _read(self, scope: Mapping[str, Any], receive: Receive) -> bytes:
        """Read the whole body.

        Raises:
            NotFound, BadRequest: the request is not one that we would read alike with every proxy in front of us.
            RequestEntityTooLarge, RequestTimeout, Busy: the body does not come within the bounds.
            Disconnected: nobody waits for an answer.
        """
        refuse_ambiguous(scope)
        if int(dict(scope["headers"]).get(b"content-length", b"0")) > DROPPED_BYTES_MAX:
            raise RequestEntityTooLarge
        bound = WEBHOOK_BYTES_MAX if scope["raw_path"] == WEBHOOK_PATH else BODY_BYTES_MAX
        body, total = bytearray(), 0
        try:
            async with asyncio.timeout(BODY_S):
                async for chunk in _chunks(receive):
                    total += len(chunk)
                    if total > DROPPED_BYTES_MAX:
                        break
                    if total <= bound:
                        body += chunk
                        self._hold(len(chunk))
        except TimeoutError:
            raise RequestTimeout(f"The body did not arrive within {BODY_S:g} seconds") from None
        finally:
            self._held_bytes -= len(body)
        if total > bound:
            raise RequestEntityTooLarge
        return bytes(body)

    def _hold(self, size: int) -> None:
        self._held_bytes += size
        if self._held_bytes > HELD_BYTES_MAX:
            raise Busy("too many bodies are being sent")


def install(app: Flask) -> None:
    """Let the application answer with the refusals of `Intake`."""

    @app.before_request
    def _() -> None:
        refusal = request.environ.get(_REFUSAL)
        if refusal is not None:
            raise refusal


def refuse_ambiguous(scope: Mapping[str, Any]) -> None:
    """Refuse a request that a proxy in front of us may have read otherwise.

    Raises:
        NotFound: a path with an empty segment, which a proxy's rule for a prefix does not see.
        BadRequest: a header twice that comes once.
    """
    if b"//" in unquote_to_bytes(scope["raw_path"]):
        raise NotFound
    times = Counter(name for name, _value in scope["headers"] if name in SINGLE)
    repeated = [name.decode() for name, count in times.items() if count > 1]
    if repeated:
        raise BadRequest(f"A header is repeated that comes once: {', '.join(repeated)}")


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        yield message.get("body", b"")
        more = message.get("more_body", False)


def environ_of(scope: Mapping[str, Any], body: bytes) -> dict[str, Any]:
    """Write a request as a WSGI environment (PEP 3333). Bytes are written as Latin-1, as it wants it.

    Headers with an underscore are left out: WSGI could not tell `X_Forwarded_For` from `X-Forwarded-For`.
    """
    (server, port), (client, _port) = scope["server"], scope["client"]
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": server,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": client,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        if b"_" in name:
            continue
        key = "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
        text = value.decode("latin-1")
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    environ["CONTENT_TYPE"] = environ.pop("HTTP_CONTENT_TYPE", "")
    environ.pop("HTTP_CONTENT_LENGTH", None)
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    environ["CONTENT_LENGTH"] = str(len(body))
    return environ


def call(app: WSGIApplication, environ: dict[str, Any]) -> tuple[int, Headers, bytes]:
    """Let a WSGI application answer; returns the status, the headers and the body."""
    status, headers, written = 500, Headers(), list[bytes]()

    def start_response(line: str, fields: list[tuple[str, str]], _error: Any = None, /) -> Callable[[bytes], object]:
        nonlocal status, headers
        status = int(line.partition(" ")[0])
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in fields]
        return written.append

    chunks = app(environ, start_response)
    try:
        return status, headers, b"".join([*written, *chunks])
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
