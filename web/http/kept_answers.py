"""Answers that cost much and are the same for everybody: drawn once, kept for a while, and bounded for each address.

All of it is in the process. Of each kind one answer is drawn at a time, however many addresses ask for it.
"""

import hashlib
import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from flask import Response, request

from domain.errors import Busy
from web.http.addresses import network_of
from web.http.problems import TooManyRequests

KEPT_MAX: Final = 1_000
"""How many answers are kept, the latest used ones; a QR code has 3 KB."""

REQUESTS_MAX: Final = 600
"""Requests of one address for answers of a kind, in a period and in a process."""

DRAWN_MAX: Final = 60
"""Of these, how many may have to be drawn. Drawing takes about 50 ms."""

PERIOD_S: Final = 60
ADDRESSES_MAX: Final = 10_000
"""How many addresses are remembered; who comes back after so many others begins anew."""

DRAWING_WAIT_S: Final = 1.0
"""How long a request waits while others of its kind are drawn."""


Key = tuple[str, ...]
"""What an answer is kept under: its kind first."""


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """An answer that was drawn, and when (`time.monotonic`)."""

    body: bytes
    tag: str
    at: float


class Counts:
    """Counts what each address does in a period. Safe to share between threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._counts: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, what: str) -> None:
        """Count once more.

        Args:
            what: The kind of answer, and the address.

        Raises:
            TooManyRequests: the address has done it too often in this period.
        """
        now = time.monotonic()
        with self._lock:
            began, count = self._counts.pop(what, (now, 0))
            if now - began >= PERIOD_S:
                began, count = now, 0
            self._counts[what] = began, min(count + 1, self._most + 1)
            while len(self._counts) > ADDRESSES_MAX:
                self._counts.popitem(last=False)
        if count >= self._most:
            raise TooManyRequests(retry_after_s=int(began + PERIOD_S - now) + 1)


@dataclass
class KeptAnswers:
    """The answers of an application that are kept, and what each address has had of them."""

    requests: Counts = field(default_factory=lambda: Counts(REQUESTS_MAX))
    drawn: Counts = field(default_factory=lambda: Counts(DRAWN_MAX))
    _kept: OrderedDict[Key, Drawing] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _drawing: defaultdict[str, threading.Lock] = field(default_factory=lambda: defaultdict(threading.Lock))

    def get(self, key: Key, draw: Callable[[], bytes], *, kept_s: float) -> Drawing:
        """Return what was drawn for a key within `kept_s`, or draw it.

        Raises:
            TooManyRequests: the address of this request has let too much be drawn.
            Busy: others draw, and for too long.
        """
        fresh = self._find(key, kept_s)
        if fresh is not None:
            return fresh
        drawing = self._drawing[key[0]]
        if not drawing.acquire(timeout=DRAWING_WAIT_S):
            raise Busy("too much is being drawn")
        try:
            fresh = self._find(key, kept_s)  # somebody may have drawn it while this request waited
            if fresh is not None:
                return fresh
            self.drawn.add(f"{key[0]} {_network()}")
            return self._keep(key, draw())
        finally:
            drawing.release()

    def _find(self, key: Key, kept_s: float) -> Drawing | None:
        with self._lock:
            drawing = self._kept.get(key)
            if drawing is None or time.monotonic() - drawing.at >= kept_s:
                return None
            self._kept.move_to_end(key)
            return drawing

    def _keep(self, key: Key, body: bytes) -> Drawing:
        tag = hashlib.sha256(body).hexdigest()[:32]
        drawing = Drawing(body=body, tag=tag, at=time.monotonic())
        with self._lock:
            self._kept[key] = drawing
            self._kept.move_to_end(key)
            while len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
        return drawing


def answer_kept(
    answers: KeptAnswers,
    key: Key,
    draw: Callable[[], bytes],
    *,
    kept_s: float,
    content_type: str,
    cache_control: str,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Response:
    """Answer with what is kept for a key, or with 304 if the client has it already.

    Args:
        draw: Draws the answer's body.
        kept_s: For how long it is kept in this process, in seconds.
        cache_control: What the client may do with it.

    Raises:
        TooManyRequests: this address asks too often.
        Busy: too many answers are being drawn.
    """
    answers.requests.add(f"{key[0]} {_network()}")
    drawing = answers.get(key, draw, kept_s=kept_s)
    answer = Response(drawing.body, content_type=content_type, headers=dict(headers))
    answer.headers["Cache-Control"] = cache_control
    answer.set_etag(drawing.tag)
    answer.make_conditional(request)
    return answer


def _network() -> str:
    return network_of(request.remote_addr or "")
