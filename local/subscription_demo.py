"""A demonstration subscription: activated, renewed, paused when the credits run out, topped up, activated again."""

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
    """A new user who subscribes to Cloud Sync; months pass in less than a second because dates are moved back.

    Args:
        environment: The service's environment variables.
        database: The service's database.
        console: Where each step is printed.
    """

    def __init__(self, environment: Mapping[str, str], database: Database, console: Console) -> None:
        self._customer = Customer(environment, user_id=f"sync-demo-{uuid4().hex[:8]}")
        self._database = database
        self._console = console
        self._run_url = f"{environment['BASE_URL']}/api/v1/internal/sync/charge-recurring"
        self._service_headers = {"X-Service-Key": environment["MANA_SERVICE_KEY"]}

    def run(self) -> None:
        """Do all steps and print a line for each.

        Raises:
            DemoFailed: the service answered a step with an error, or a step had the wrong result.
        """
        self._top_up()
        self._activate("activated")
        self._renew()
        self._renew()
        self._pause()
        self._top_up()
        self._activate("reactivated")

    def _top_up(self) -> None:
        package = self._customer.get("/credits/packages")[0]
        order = self._customer.post("/credits/purchase", {"packageId": package["id"]})
        self._customer.pay(order["clientSecret"])
        purchase = self._customer.completed(order["purchaseId"])
        price = price_of(purchase["priceEuroCents"])
        self._print_step("topped up", f"{purchase['credits']} credits for {price} at the local Stripe")

    def _activate(self, step: str) -> None:
        activated = self._customer.post("/sync/activate", {"interval": "monthly"})
        self._print_step(step, f"{activated['amountCharged']} credits charged")

    def _renew(self) -> None:
        due_at = self._let_a_month_pass()
        if not self._status()["active"]:
            raise DemoFailed("sync was paused, though the balance covered the charge")
        self._print_step("renewed", f"dates moved a month back, due {due_at:%Y-%m-%d}: charged")

    def _pause(self) -> None:
        due_at = self._let_a_month_pass()
        if not self._status()["pausedAt"]:
            raise DemoFailed("sync was not paused, though the balance did not cover the charge")
        self._print_step("paused", f"dates moved a month back, due {due_at:%Y-%m-%d}: too few credits")

    def _let_a_month_pass(self) -> datetime:
        """Move the subscription's dates a month back, wait for the renewal, and return when it was due.

        The ends of the periods are computed from the anchor, so both dates are moved.
        """
        now, user_id, month = datetime.now(UTC), UserId(self._customer.user_id), relativedelta(months=1)
        with self._database.begin() as store:
            subscription = subscriptions.lock(store, user_id)
            if subscription is None or subscription.anchor_at is None or subscription.next_charge_at is None:
                raise DemoFailed("there is no active subscription whose dates could be moved")
            anchor_at, due_at = subscription.anchor_at - month, subscription.next_charge_at - month
            subscriptions.change(store, user_id, now=now, anchor_at=anchor_at, next_charge_at=due_at)
        # The scheduler would renew it within a minute; this request renews it now.
        call("POST", self._run_url, headers=self._service_headers)
        wait_for("the renewal", lambda: self._status()["nextChargeAt"], lambda at: not at or _time_of(at) > now)
        return due_at

    def _status(self) -> Any:
        return self._customer.get("/sync/status")

    def _print_step(self, step: str, result: str) -> None:
        next_at = self._status()["nextChargeAt"]
        next_charge = f"next charge {_time_of(next_at):%Y-%m-%d}" if next_at else "no next charge"
        self._console.print(
            f"  [green]✓[/] [bold]{step:<12}[/] {result:<59} balance {self._customer.balance:>3}, {next_charge}",
            highlight=False,
        )


def _time_of(instant: str) -> datetime:
    return datetime.fromisoformat(instant)
