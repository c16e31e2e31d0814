"""Rate limit against guessing gift codes: look-ups that find nothing are counted, per address and per user.

They are counted in Redis, for all processes together, and in each process too: without Redis, or if Redis refuses
writes, each process still counts its own. The limit always holds, and a Redis that fails never fails a request.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NoReturn, TypeVar

import redis
from flask import Flask, Response, g, request
from flask_limiter import Limiter, RequestLimit
from limits import parse_many
from limits.storage import MemoryStorage, RedisStorage, Storage

from domain.errors import NotFound
from domain.rules.gift_codes import is_unguessable
from web.http.addresses import network_of
from web.http.problems import TooManyRequests

PER_ADDRESS: Final = "30 per minute; 300 per hour"
"""Misses of one network. Many people may share one behind a provider's gateway; only misses count."""

PER_USER: Final = "10 per minute; 60 per hour"
FIRST_TRIES: Final = 3
"""So many misses in an hour a user may have before misses of others at the same address count against them."""

REDIS_TIMEOUT_S: Final = 0.1
REDIS_PAUSE_S: Final = 1.0
"""How long Redis is not asked after it failed."""

T = TypeVar("T")


class SharedStorage(Storage):
    """Counts in the process, and in Redis while it answers; the higher count is valid.

    Args:
        redis_url: The Redis that all processes share.
        key_prefix: What the names of the counts' keys start with.
    """

    STORAGE_SCHEME = ["mana-guesses"]  # noqa: RUF012 - the library's way to name a storage

    def __init__(self, uri: str, wrap_exceptions: bool = False, **options: Any) -> None:  # noqa: FBT001, FBT002
        super().__init__(uri, wrap_exceptions=wrap_exceptions)
        timeouts: Any = {"socket_timeout": REDIS_TIMEOUT_S, "socket_connect_timeout": REDIS_TIMEOUT_S}
        self._local = MemoryStorage()
        self._shared = RedisStorage(options["redis_url"], key_prefix=options["key_prefix"], **timeouts)
        self._redis_paused_until = 0.0

    @property
    def base_exceptions(self) -> type[Exception]:
        """The errors that the library may catch; this storage raises none."""
        return redis.RedisError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a count and return it."""
        local = self._local.incr(key, expiry, amount)
        return max(local, self._ask(lambda: self._shared.incr(key, expiry, amount), otherwise=0))

    def get(self, key: str) -> int:
        """Read a count."""
        return max(self._local.get(key), self._ask(lambda: self._shared.get(key), otherwise=0))

    def get_expiry(self, key: str) -> float:
        """Return when a count ends, in seconds since 1970."""
        return max(self._local.get_expiry(key), self._ask(lambda: self._shared.get_expiry(key), otherwise=0.0))

    def check(self) -> bool:
        """Return whether counting works: it always does."""
        return True

    def reset(self) -> int | None:
        """Delete all counts of this process."""
        return self._local.reset()

    def clear(self, key: str) -> None:
        """Delete a count."""
        self._local.clear(key)
        self._ask(lambda: self._shared.clear(key), otherwise=None)

    def _ask(self, call: Callable[[], T], *, otherwise: T) -> T:
        if time.monotonic() < self._redis_paused_until:
            return otherwise
        try:
            return call()
        except redis.RedisError:
            self._redis_paused_until = time.monotonic() + REDIS_PAUSE_S
            return otherwise


def _network() -> str:
    return network_of(request.remote_addr or "")


def _user() -> str:
    return str(g.user.id)


def _has_no_user() -> bool:
    return getattr(g, "user", None) is None


def _is_first_try() -> bool:
    """Tell whether this is one of the first tries of a user, who then does not answer for others at their address."""
    if _has_no_user():
        return False
    stats = _limiter.limiter.get_window_stats(_USER_HOUR, _user(), _USER_SCOPE)
    return stats.remaining > _USER_HOUR.amount - FIRST_TRIES


def _is_miss(answer: Response) -> bool:
    return answer.status_code == 404  # noqa: PLR2004


def _refuse(limit: RequestLimit) -> NoReturn:
    raise TooManyRequests(retry_after_s=max(1, int(limit.reset_at - time.time()) + 1))


_USER_SCOPE: Final = "gift-code-of-user"
_USER_HOUR: Final = parse_many(PER_USER)[-1]
_limiter = Limiter(_network, storage_uri="mana-guesses://", swallow_errors=False, on_breach=_refuse)
_by_address = _limiter.shared_limit(PER_ADDRESS, "gift-code", exempt_when=_is_first_try, deduct_when=_is_miss)
_by_user = _limiter.shared_limit(PER_USER, _USER_SCOPE, key_func=_user, exempt_when=_has_no_user, deduct_when=_is_miss)


def install(app: Flask, redis_url: str, *, namespace: str, only: Sequence[str]) -> None:
    """Install the limit in an application.

    Args:
        namespace: What the names of our keys in Redis start with.
        only: The blueprints whose views call `limit_guesses`. The library hooks into every request of the
            application, which costs 50 µs each; its hooks are moved to these blueprints.
    """
    app.config["RATELIMIT_STORAGE_OPTIONS"] = {"redis_url": redis_url, "key_prefix": f"{namespace}:guesses"}
    _limiter.init_app(app)
    all_hooks: tuple[dict[Any, list[Any]], ...] = (
        app.before_request_funcs,
        app.after_request_funcs,
        app.teardown_request_funcs,
    )
    for hooks in all_hooks:
        hook = hooks[None].pop()
        for blueprint in only:
            hooks.setdefault(blueprint, []).append(hook)


@contextmanager
def limit_guesses(typed: str) -> Iterator[None]:
    """Limit how often codes are guessed, without a limit for others behind the same address.

    A code of 75 random bits cannot be guessed: it is looked up first, and counted if it is not there. All other texts,
    and the short codes of an earlier service, are counted before they are looked up. An answer of 404 is a miss. The
    first tries of a user are let through though others have used up the misses of their address.

    Raises:
        TooManyRequests: too many misses of this address or this user.
    """
    guessable = not is_unguessable(typed)
    if guessable:
        _count_miss()
    try:
        yield
    except NotFound:
        if not guessable:
            _count_miss()
        raise


@_by_address
@_by_user
def _count_miss() -> None:
    """Count this request if its answer is 404; refuse it if there were too many before."""
