"""A subscription's life, over HTTP: activated, renewed, paused when the credits run out, topped up, activated again."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from dateutil.relativedelta import relativedelta
from rich.console import Console

from domain.store import Database
from domain.store import sync as subscriptions
from domain.units import UserId
from local.calls import call
from local.customer import Customer, DemoFailed, price_of, wait_for


class SubscriptionDemo:
    """A new user who subscribes to Cloud Sync, and whose months take less than a second.

    Args:
        environment: The variables of the contract, as the service has them.
        database: The database of the same service.
        console: Where each step is told.
    """

    def __init__(self, environment: Mapping[str, str], database: Database, console: Console) -> None:
        self._customer = Customer(environment, user_id=f"sync-demo-{uuid4().hex[:8]}")
        self._database = database
        self._console = console
        self._run_url = f"{environment['BASE_URL']}/api/v1/internal/sync/charge-recurring"
        self._service = {"X-Service-Key": environment["MANA_SERVICE_KEY"]}

    def run(self) -> None:
        """Live through it, a line for each step.

        Raises:
            DemoFailed: a step was answered otherwise than it should be.
        """
        self._top_up()
        self._activate("activated")
        self._renew()
        self._renew()
        self._run_dry()
        self._top_up()
        self._activate("reactivated")

    def _top_up(self) -> None:
        package = self._customer.get("/credits/packages")[0]
        ordered = self._customer.post("/credits/purchase", {"packageId": package["id"]})
        self._customer.pay(ordered["clientSecret"])
        done = self._customer.completed(ordered["purchaseId"])
        self._tell("topped up", f"{done['credits']} credits for {price_of(done['priceEuroCents'])} at the local Stripe")

    def _activate(self, step: str) -> None:
        activated = self._customer.post("/sync/activate", {"interval": "monthly"})
        self._tell(step, f"{activated['amountCharged']} credits charged")

    def _renew(self) -> None:
        due_at = self._let_a_month_pass()
        if not self._status()["active"]:
            raise DemoFailed("sync was paused, though the balance covered the charge")
        self._tell("renewed", f"dates moved a month back, due {due_at:%Y-%m-%d}: charged")

    def _run_dry(self) -> None:
        due_at = self._let_a_month_pass()
        if not self._status()["pausedAt"]:
            raise DemoFailed("sync was not paused, though the balance did not cover the charge")
        self._tell("paused", f"dates moved a month back, due {due_at:%Y-%m-%d}: too few credits")

    def _let_a_month_pass(self) -> datetime:
        """Move the subscription a month back in time, and wait until it is renewed; returns when that was due.

        The ends of periods are counted from the anchor, so both dates are moved together.
        """
        now, user_id, month = datetime.now(UTC), UserId(self._customer.user_id), relativedelta(months=1)
        with self._database.begin() as store:
            held = subscriptions.lock(store, user_id)
            if held is None or held.anchor_at is None or held.next_charge_at is None:
                raise DemoFailed("there is no active subscription to move in time")
            due_at = held.next_charge_at - month
            subscriptions.change(store, user_id, now=now, anchor_at=held.anchor_at - month, next_charge_at=due_at)
        # The scheduler would see to it within a minute; a run that is asked for does it now.
        call("POST", self._run_url, headers=self._service)
        wait_for("the renewal", lambda: self._status()["nextChargeAt"], lambda at: not at or _moment(at) > now)
        return due_at

    def _status(self) -> Any:
        return self._customer.get("/sync/status")

    def _tell(self, step: str, what: str) -> None:
        next_at = self._status()["nextChargeAt"]
        coming = f"next charge {_moment(next_at):%Y-%m-%d}" if next_at else "no next charge"
        self._console.print(
            f"  [green]✓[/] [bold]{step:<12}[/] {what:<59} balance {self._customer.balance:>3}, {coming}",
            highlight=False,
        )


def _moment(instant: str) -> datetime:
    return datetime.fromisoformat(instant)
