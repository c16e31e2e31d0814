"""The parts of each kind of process: they are built here, from the settings, and nowhere else."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Final

from stripe import StripeClient

import settings
from domain.rules.jobs import Job
from domain.store import Database
from gateways.bell import RING_TIMEOUT_S, Bell
from gateways.notifier import Notifier
from gateways.stripe.client import TIMEOUT_S, connect
from gateways.stripe.gateway import StripeGateway
from gateways.stripe.reader import StripeReader

WEB_CONNECTIONS: Final = 20
WORKER_CONNECTIONS: Final = 12
COMMAND_STATEMENT_S: Final = 600.0
"""How long a statement of a command may take: a person waits for it, and can end it."""


@dataclass(frozen=True, kw_only=True)
class WebParts:
    """The parts of a web process, beside what it keeps in memory (`web.http.parts`)."""

    settings: settings.Settings
    database: Database
    bell: Bell


@dataclass(frozen=True, kw_only=True)
class WorkerParts:
    """What handlers work with.

    Attributes:
        stripe: Creates our objects at Stripe.
        stripe_reader: Reads Stripe's objects.
        event_secrets: What marks of stored events are made with: the first one; the others are on their way out.
        livemode: Whether this service expects real money from Stripe.
        notifier: Posts notices about sync to users; `None` where no notification service is configured.
    """

    database: Database
    bell: Bell
    stripe: StripeGateway
    stripe_reader: StripeReader
    event_secrets: tuple[str, ...]
    livemode: bool
    notifier: Notifier | None = None


@dataclass(frozen=True, kw_only=True)
class CommandParts:
    """What a command of `mana-credits` works with. Without `REDIS_URL` there is no bell."""

    database: Database
    bell: Bell | None

    def ring(self, *jobs: Job) -> None:
        """Wake the workers, if there is a bell; else the sweeper finds the jobs within seconds."""
        if self.bell is not None:
            self.bell.ring(*jobs)


def web_parts(
    configured: settings.Settings, *, connections: int = WEB_CONNECTIONS, redis_timeout_s: float = RING_TIMEOUT_S
) -> WebParts:
    """Build a web process, or what looks at its parts before the start.

    Args:
        connections: How many connections to PostgreSQL there are at most.
        redis_timeout_s: How long Redis may take to answer.
    """
    return WebParts(
        settings=configured,
        database=Database(configured.database_url, pool_size=connections),
        bell=Bell(configured.redis_url, namespace=configured.redis_namespace, timeout_s=redis_timeout_s),
    )


def stripe_client(configured: settings.Settings, *, timeout_s: float = TIMEOUT_S) -> StripeClient:
    """Build the client that calls Stripe.

    Args:
        timeout_s: How long a call may take, from connecting to the last byte of the answer.
    """
    return connect(configured.stripe_secret_key, api_base=configured.stripe_api_base, timeout_s=timeout_s)


@cache
def worker_parts() -> WorkerParts:
    """Build a worker process, once, on first use: nothing is opened before Dramatiq has forked its processes."""
    configured = settings.load()
    database = Database(configured.database_url, pool_size=WORKER_CONNECTIONS, lock_timeout_s=3, statement_timeout_s=10)
    client = stripe_client(configured)
    return WorkerParts(
        database=database,
        bell=Bell(configured.redis_url, namespace=configured.redis_namespace, timeout_s=3),
        stripe=StripeGateway(client, database=database),
        stripe_reader=StripeReader(client),
        event_secrets=configured.stripe_webhook_secrets,
        livemode=configured.stripe_livemode,
        notifier=Notifier(configured.notify_url, configured.service_keys[0]) if configured.notify_url else None,
    )


@contextmanager
def command_parts(*, statement_timeout_s: float = COMMAND_STATEMENT_S, as_app: bool = True) -> Iterator[CommandParts]:
    """Build what a command needs; only `DATABASE_URL` must be set.

    Args:
        as_app: With the rights of the service; `False` for what only the owner of the tables may do, whose login is
            that of the migrations.
    """
    url, namespace = settings.redis_url(), settings.redis_namespace()
    database = Database(
        settings.database_url() if as_app else settings.migration_database_url(),
        pool_size=1,
        lock_timeout_s=5,
        statement_timeout_s=statement_timeout_s,
        as_app=as_app,
    )
    try:
        yield CommandParts(database=database, bell=Bell(url, namespace=namespace, timeout_s=1) if url else None)
    finally:
        database.close()
