"""What handlers work with: the database, Stripe, the bell. Made once per process, on first use."""

from dataclasses import dataclass
from functools import cache

import settings
from domain.store import Database
from workers.broker import Bell
from workers.notifier import Notifier
from workers.stripe_books import StripeBooks
from workers.stripe_client import connect
from workers.stripe_gateway import StripeGateway


@dataclass(frozen=True, kw_only=True)
class Resources:
    """The outside world of a worker process.

    Attributes:
        livemode: Whether this house expects real money from Stripe.
        notifier: Tells users about their sync; `None` where nobody is told.
    """

    database: Database
    stripe: StripeGateway
    books: StripeBooks
    bell: Bell
    livemode: bool
    notifier: Notifier | None = None


@cache
def resources() -> Resources:
    """Connect this process. Nothing is opened before a worker process has been forked."""
    configured = settings.load()
    database = Database(configured.database_url, pool_size=12, lock_timeout_s=3, statement_timeout_s=10)
    client = connect(configured.stripe_secret_key, api_base=configured.stripe_api_base)
    return Resources(
        database=database,
        stripe=StripeGateway(client, database=database),
        books=StripeBooks(client),
        bell=Bell(configured.redis_url, timeout_s=3),
        livemode=configured.stripe_livemode,
        notifier=Notifier(configured.notify_url, configured.service_keys[0]) if configured.notify_url else None,
    )
