"""The broker of worker and scheduler processes: Dramatiq on Redis."""

from collections.abc import Sequence

import redis
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import AgeLimit, Middleware, ShutdownNotifications, TimeLimit
from periodiq import PeriodiqMiddleware


def worker_broker(redis_url: str, *, namespace: str, extra: Sequence[Middleware] = ()) -> RedisBroker:
    """Make the broker of a worker or scheduler process.

    No Retries middleware: pauses and retries are kept in PostgreSQL. Maintenance is frequent and the heartbeat short,
    so that messages of a worker that died are taken over within seconds.

    Args:
        namespace: What the names of our keys in Redis start with, as those of `Bell`.
        extra: Further middleware.
    """
    client = redis.Redis.from_url(redis_url, socket_timeout=10, socket_connect_timeout=3, health_check_interval=30)
    middleware = [AgeLimit(), TimeLimit(), ShutdownNotifications(), PeriodiqMiddleware(skip_delay=30), *extra]
    return RedisBroker(  # type: ignore[no-untyped-call]
        client=client, middleware=middleware, namespace=namespace, heartbeat_timeout=15_000, maintenance_chance=100_000
    )
