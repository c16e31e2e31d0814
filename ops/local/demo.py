"""A purchase as a user makes one, over HTTP, from an empty purse to a line in the ledger."""

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from uuid import uuid4

import stripe
from rich.console import Console
from rich.table import Table

from ops.local.calls import Reply, call
from ops.local.state import token_from

USER = {"user_id": "demo-user", "email": "demo@example.com", "name": "Demo User"}
CARD = "pm_card_visa"
WITHIN_S = 30.0
ROWS_SHOWN = 5

T = TypeVar("T")


class DemoFailed(RuntimeError):
    """The demonstration did not go as it should. The message says at which step, and what was answered."""


class Demo:
    """The demonstration user and what they do.

    Args:
        environment: The variables of the contract, as the service has them.
        console: Where each step is told.
    """

    def __init__(self, environment: Mapping[str, str], console: Console) -> None:
        self._api = f"{environment['BASE_URL']}/api/v1"
        self._console = console
        self._stripe = stripe.StripeClient(
            environment["STRIPE_SECRET_KEY"],
            base_addresses={"api": environment["STRIPE_API_BASE"]},
            max_network_retries=0,
        )
        self.token = token_from(environment["MANA_AUTH_URL"], **USER)

    def run(self) -> None:
        """Buy a package and show what became of it.

        Raises:
            DemoFailed: a step was answered otherwise than it should be.
        """
        before = self._get("/credits/balance")
        self._tell("signed in", f"{USER['user_id']} has {before['balance']} credits")
        package = self._get("/credits/packages")[0]
        self._tell("chose", f"{package['name']}: {package['credits']} credits, {price_of(package['priceEuroCents'])}")
        purchase = self._start(package["id"])
        self._pay(purchase["clientSecret"])
        done = self._completed(purchase["purchaseId"])
        self._tell("completed", f"the webhook arrived and a worker wrote the ledger (purchase {done['id']})")
        self._show_ledger()
        after = self._get("/credits/balance")
        self._tell("balance", f"{before['balance']} → {after['balance']} credits")
        if after["balance"] != before["balance"] + package["credits"]:
            raise DemoFailed(f"expected {before['balance']} + {package['credits']} credits, found {after['balance']}")

    def _start(self, package_id: str) -> dict[str, Any]:
        began = time.monotonic()
        reply = self._call("POST", "/credits/purchase", {"packageId": package_id}, key=str(uuid4()))
        if reply.status == 202:  # noqa: PLR2004 - Accepted
            self._tell("accepted", "202: a worker is on it; following Location")
            job = self._until_ended(reply.headers["Location"])
            if job["status"] != "done":
                raise DemoFailed(f"the job of the purchase ended {job['status']}: {job['problem']}")
            started: dict[str, Any] = job["result"]
        else:
            started = self._expect(reply)
        took_ms = (time.monotonic() - began) * 1000
        self._tell("ordered", f"PaymentIntent over {price_of(started['amount'])} after {took_ms:.0f} ms")
        return started

    def _until_ended(self, location: str) -> dict[str, Any]:
        path = location.partition("/api/v1")[2]
        return self._poll("the job", lambda: self._get(path), lambda job: job["status"] != "pending")

    def _pay(self, client_secret: str) -> None:
        intent_id = client_secret.partition("_secret_")[0]
        try:
            paid = self._stripe.v1.payment_intents.confirm(intent_id, {"payment_method": CARD})
        except stripe.StripeError as error:
            raise DemoFailed(f"the local Stripe refused the payment: {error}") from error
        self._tell("paid", f"{CARD} at the local Stripe: {paid.status}")

    def _completed(self, purchase_id: str) -> dict[str, Any]:
        path = f"/credits/purchase/{purchase_id}"
        ended: dict[str, Any] = self._poll(
            "the purchase", lambda: self._get(path), lambda found: found["status"] != "pending"
        )
        if ended["status"] != "completed":
            raise DemoFailed(f"the purchase ended {ended['status']}")
        return ended

    def _show_ledger(self) -> None:
        rows = self._get(f"/credits/transactions?limit={ROWS_SHOWN}")
        table = Table("When", "Type", "Amount", "Before", "After", "Description", title="Ledger, newest first")
        for row in rows:
            amounts = (f"{row['amount']:+d}", str(row["balanceBefore"]), str(row["balanceAfter"]))
            table.add_row(row["createdAt"], row["type"], *amounts, row["description"])
        self._console.print(table)

    def _poll(self, what: str, read: Callable[[], T], is_over: Callable[[T], bool]) -> T:
        deadline = time.monotonic() + WITHIN_S
        while not is_over(found := read()):
            if time.monotonic() > deadline:
                raise DemoFailed(f"{what} was still pending after {WITHIN_S:g} s")
            time.sleep(0.1)
        return found

    def _get(self, path: str) -> Any:
        return self._expect(self._call("GET", path))

    def _call(self, method: str, path: str, body: object = None, *, key: str | None = None) -> Reply:
        headers = {"Authorization": f"Bearer {self.token}", **({"Idempotency-Key": key} if key else {})}
        return call(method, f"{self._api}{path}", body=body, headers=headers)

    def _expect(self, reply: Reply) -> Any:
        if reply.status != 200:  # noqa: PLR2004 - OK
            raise DemoFailed(f"answered {reply.status}: {reply.text[:500]}")
        return reply.json()

    def _tell(self, step: str, what: str) -> None:
        self._console.print(f"  [green]✓[/] [bold]{step:<10}[/] {what}", highlight=False)


def price_of(euro_cents: int) -> str:
    """Write an amount of money for people."""
    return f"{euro_cents / 100:.2f} €"
