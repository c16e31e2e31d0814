"""A worker for tests: everything real but Redis and Stripe, which nobody answers for."""

from domain.store import Database
from workers.broker import Bell
from workers.notifier import Notifier
from workers.resources import Resources
from workers.stripe_books import StripeBooks
from workers.stripe_client import connect
from workers.stripe_gateway import StripeGateway


def worker(database: Database, *, notifier: Notifier | None = None) -> Resources:
    """What a worker process has. The bell is silent; tests run the jobs themselves."""
    client = connect("sk_test_1", api_base="http://127.0.0.1:1")
    return Resources(
        database=database,
        stripe=StripeGateway(client, database=database),
        books=StripeBooks(client),
        bell=Bell("redis://127.0.0.1:1/0"),
        livemode=False,
        notifier=notifier,
    )
