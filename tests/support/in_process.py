"""The service in this process, without web and queue: purchases are started and jobs are done by calls."""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import stripe
from sqlalchemy import text

from domain.ids import new_id
from domain.operations import jobs, purchases
from domain.rules.job_kinds import RECONCILE
from domain.rules.jobs import AnyKind, Job, NewJob
from domain.rules.purchases import Purchase, Redirects
from domain.store import Database, balances
from domain.store import purchases as purchase_rows
from domain.units import UserId
from process.parts import WorkerParts
from tests.support.local_stripe import LocalStripe
from tests.support.times import NOW
from tests.support.users import ANNA
from workers.jobs import run_job

STRIPE_TIMEOUT_S: Final = 0.5
"""How long a worker of these tests waits for Stripe."""
ROUNDS_MAX: Final = 20


@dataclass
class InProcessService:
    """A worker on the test's database and a local Stripe of its own; one package is on sale."""

    database: Database
    local: LocalStripe
    parts: WorkerParts
    package_id: UUID

    @property
    def client(self) -> stripe.StripeClient:
        return self.local.client()

    def start(self, *, redirects: Redirects | None = None, user_id: UserId = ANNA) -> UUID:
        """Start a purchase; returns its id."""
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

    def started(self, **options: Any) -> Purchase:
        """Start a purchase and let the worker make its payment."""
        purchase_id = self.start(**options)
        self.work()
        return self.purchase(purchase_id)

    def paid(self, card: str = "pm_card_visa") -> Purchase:
        """Buy and pay; the credits come when the service hears of it."""
        purchase = self.started()
        self.pay(purchase, card)
        return self.purchase(purchase.id)

    def pay(self, purchase: Purchase, card: str = "pm_card_visa") -> None:
        """Pay at Stripe, as the buyer's browser would."""
        self.client.v1.payment_intents.confirm(str(purchase.stripe_payment_intent_id), {"payment_method": card})

    def record(self, kind: AnyKind, key: str, **payload: Any) -> Job:
        """Record a job."""
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
        raise AssertionError("the jobs never end")

    def hear(self) -> None:
        """Hear of everything that happened at Stripe, as a reconciliation does."""
        self.record(RECONCILE, f"reconcile:{new_id()}")
        self.work()

    def purchase(self, purchase_id: UUID) -> Purchase:
        """Read a purchase."""
        with self.database.single() as store:
            return purchase_rows.get(store, purchase_id)

    def balance(self) -> int:
        """Read Anna's balance."""
        with self.database.single() as store:
            return balances.balance_of(store, ANNA).balance

    def states(self, kind: AnyKind) -> list[str]:
        """Read the states of a kind's jobs, oldest first."""
        return [
            row[0] for row in self.sql("SELECT state FROM jobs.jobs WHERE kind = :kind ORDER BY id", kind=kind.name)
        ]

    def sql(self, statement: str, **values: Any) -> list[Any]:
        """Run SQL with the service's rights; returns no rows for a statement that has none."""
        with self.database.begin() as store:
            result = store.run(text(statement), values)
            return list(result) if result.returns_rows else []
