"""HTTP calls to servers on this machine."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Any

# A proxy that the environment names must not be used for loopback.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A server's HTTP response: status, headers, and the body as text."""

    status: int
    headers: Message
    text: str

    def json(self) -> Any:
        """Read the body as JSON."""
        return json.loads(self.text)


def call(
    method: str, url: str, *, body: object = None, headers: Mapping[str, str] | None = None, timeout_s: float = 15.0
) -> Reply:
    """Send an HTTP request and return the response, whatever its status.

    Args:
        body: Sent as JSON unless `None`.
        timeout_s: Seconds to wait for the next byte of the response.

    Raises:
        OSError: no server answers.
    """
    payload = None if body is None else json.dumps(body).encode()
    all_headers = {**({"Content-Type": "application/json"} if payload is not None else {}), **(headers or {})}
    request = urllib.request.Request(url, data=payload, method=method, headers=all_headers)  # noqa: S310 - http to loopback
    try:
        response = _OPENER.open(request, timeout=timeout_s)
    except urllib.error.HTTPError as error:
        response = error
    with response:
        return Reply(status=response.status, headers=response.headers, text=response.read().decode())


def status_of(url: str, *, timeout_s: float = 2.0) -> int | None:
    """Send a GET and return the HTTP status; `None` if no server answers."""
    try:
        return call("GET", url, timeout_s=timeout_s).status
    except OSError:
        return None
