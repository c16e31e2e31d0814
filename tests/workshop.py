"""A worker for tests: everything real but Redis and Stripe, which nobody answers for."""

from domain.store import Database
from gateways.bell import Bell
from gateways.notifier import Notifier
from gateways.stripe.client import connect
from gateways.stripe.gateway import StripeGateway
from gateways.stripe.reader import StripeReader
from process.parts import WorkerParts


def worker(database: Database, *, notifier: Notifier | None = None) -> WorkerParts:
    """What a worker process has. The bell is silent; tests run the jobs themselves."""
    client = connect("sk_test_1", api_base="http://127.0.0.1:1")
    return WorkerParts(
        database=database,
        stripe=StripeGateway(client, database=database),
        stripe_reader=StripeReader(client),
        bell=Bell("redis://127.0.0.1:1/0"),
        event_secrets=("whsec_1",),
        livemode=False,
        notifier=notifier,
    )
