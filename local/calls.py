"""Calls to servers on this machine."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Any

# Whatever proxy the environment names, it is not for loopback.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a server answered: HTTP status, headers, and the body as text."""

    status: int
    headers: Message
    text: str

    def json(self) -> Any:
        """Read the body as JSON."""
        return json.loads(self.text)


def call(
    method: str, url: str, *, body: object = None, headers: Mapping[str, str] | None = None, timeout_s: float = 15.0
) -> Reply:
    """Call a server and give its answer, whatever its status.

    Args:
        body: Sent as JSON unless `None`.
        timeout_s: Seconds without a byte before giving up.

    Raises:
        OSError: nobody answers.
    """
    sent = None if body is None else json.dumps(body).encode()
    told = {**({"Content-Type": "application/json"} if sent is not None else {}), **(headers or {})}
    asked = urllib.request.Request(url, data=sent, method=method, headers=told)  # noqa: S310 - http to loopback
    try:
        answer = _OPENER.open(asked, timeout=timeout_s)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        return Reply(status=answer.status, headers=answer.headers, text=answer.read().decode())


def status_of(url: str, *, timeout_s: float = 2.0) -> int | None:
    """Ask an address and give the HTTP status; `None` if nobody answers."""
    try:
        return call("GET", url, timeout_s=timeout_s).status
    except OSError:
        return None
