"""A worker in this process: the handlers on this test's database and a local Stripe of their own."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
import stripe
from sqlalchemy import text

import workers.handlers  # noqa: F401 - registers the handlers
from domain.ids import new_id
from domain.operations import jobs, purchases
from domain.rules.job_kinds import RECONCILE
from domain.rules.jobs import AnyKind, Job, NewJob
from domain.rules.purchases import Purchase, Redirects
from domain.store import Database, balances
from domain.store import packages as package_rows
from domain.store import purchases as purchase_rows
from domain.units import Credits, EuroCents, UserId
from gateways.bell import Bell
from gateways.stripe.client import connect
from gateways.stripe.gateway import StripeGateway
from gateways.stripe.reader import StripeReader
from process.parts import WorkerParts
from tests.conftest import NOW
from tests.local_stripe.server import API_KEY, LocalStripe
from workers.jobs import run_job

ANNA = UserId("anna")
TIMEOUT_S = 0.5
ROUNDS_MAX = 20


@pytest.fixture(scope="session")
def stripe_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStripe]:
    local = LocalStripe(tmp_path_factory.mktemp("stripe"))
    yield local
    local.stop()


@pytest.fixture
def local(stripe_process: LocalStripe) -> LocalStripe:
    """A local Stripe that knows nothing yet; no webhook leaves it."""
    stripe_process.control("POST", "/reset")
    return stripe_process


@dataclass
class House:
    """The house without its doors: purchases are started and jobs are done in this process."""

    database: Database
    local: LocalStripe
    parts: WorkerParts
    package_id: UUID

    @property
    def client(self) -> stripe.StripeClient:
        return self.local.client()

    def start(self, *, redirects: Redirects | None = None, user_id: UserId = ANNA) -> UUID:
        with self.database.begin() as store:
            started = purchases.start_purchase(
                store,
                user_id=user_id,
                package_id=self.package_id,
                redirects=redirects,
                key=None,
                request_id=None,
                now=NOW,
            )
        return started.purchase_id

    def started(self, **how: Any) -> Purchase:
        """Start a purchase and let the worker make its payment."""
        purchase_id = self.start(**how)
        self.work()
        return self.purchase(purchase_id)

    def paid(self, card: str = "pm_card_visa") -> Purchase:
        """Buy and pay; the credits come when the house hears of it."""
        purchase = self.started()
        self.pay(purchase, card)
        return self.purchase(purchase.id)

    def pay(self, purchase: Purchase, card: str = "pm_card_visa") -> None:
        self.client.v1.payment_intents.confirm(str(purchase.stripe_payment_intent_id), {"payment_method": card})

    def record(self, kind: AnyKind, key: str, **payload: Any) -> Job:
        with self.database.begin() as store:
            return jobs.record(store, NewJob(kind=kind, key=key, payload=kind.payload(**payload))).job

    def work(self) -> None:
        """Do all jobs that are due, and those they record."""
        for _ in range(ROUNDS_MAX):
            due = self.sql("SELECT id FROM jobs.jobs WHERE state = 'pending' AND next_at <= clock_timestamp()")
            if not due:
                return
            for (job_id,) in due:
                run_job(job_id, self.parts)
        pytest.fail("the jobs never end")

    def hear(self) -> None:
        """Hear of everything that happened at Stripe, as a reconciliation does."""
        self.record(RECONCILE, f"reconcile:{new_id()}")
        self.work()

    def purchase(self, purchase_id: UUID) -> Purchase:
        with self.database.single() as store:
            return purchase_rows.get(store, purchase_id)

    def balance(self) -> int:
        with self.database.single() as store:
            return balances.balance_of(store, ANNA).balance

    def states(self, kind: AnyKind) -> list[str]:
        return [
            row[0] for row in self.sql("SELECT state FROM jobs.jobs WHERE kind = :kind ORDER BY id", kind=kind.name)
        ]

    def sql(self, statement: str, **values: Any) -> list[Any]:
        with self.database.begin() as store:
            found = store.run(text(statement), values)
            return list(found) if found.returns_rows else []


@pytest.fixture
def house(database: Database, local: LocalStripe) -> House:
    client = connect(API_KEY, api_base=local.url, timeout_s=TIMEOUT_S)
    parts = WorkerParts(
        database=database,
        stripe=StripeGateway(client, database=database),
        stripe_reader=StripeReader(client),
        bell=Bell("redis://127.0.0.1:1/0"),
        event_secrets=("whsec_1",),
        livemode=False,
    )
    with database.begin() as store:
        package = package_rows.add(
            store,
            name="Medium",
            credit_count=Credits(500),
            price=EuroCents(450),
            description="",
            sort_order=1,
            now=NOW,
        )
    assert package is not None
    return House(database, local, parts, package.id)
