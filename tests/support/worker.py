"""A worker for tests: everything real but Redis and Stripe, at whose addresses nobody answers."""

from dataclasses import dataclass, field
from typing import Any

import workers.handlers  # noqa: F401 - registers the handlers
from domain.store import Database
from gateways.bell import Bell
from gateways.notifier import Notifier
from gateways.stripe.client import TIMEOUT_S, connect
from gateways.stripe.gateway import StripeGateway
from gateways.stripe.reader import StripeReader
from process.parts import WorkerParts


def worker(
    database: Database,
    *,
    notifier: Notifier | None = None,
    stripe_key: str = "sk_test_1",
    stripe_url: str = "http://127.0.0.1:1",
    stripe_timeout_s: float = TIMEOUT_S,
) -> WorkerParts:
    """Build what a worker process has. Its bell is silent: tests run the jobs themselves."""
    client = connect(stripe_key, api_base=stripe_url, timeout_s=stripe_timeout_s)
    return WorkerParts(
        database=database,
        stripe=StripeGateway(client, database=database),
        stripe_reader=StripeReader(client),
        bell=Bell("redis://127.0.0.1:1/0", namespace="mana-credits"),
        event_secrets=("whsec_1",),
        livemode=False,
        notifier=notifier,
    )


@dataclass
class Letterbox(Notifier):
    """A notifier that keeps the notices instead of posting them."""

    sent: list[tuple[str, Any]] = field(default_factory=list)

    def send(self, user_id: str, text: Any, *, key: str) -> None:
        """Keep a notice."""
        assert key
        self.sent.append((user_id, text))
