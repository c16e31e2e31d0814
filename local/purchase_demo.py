"""A demonstration purchase: a user buys credits over HTTP, and the ledger row is shown."""

import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from local.customer import CARD, Customer, DemoFailed, price_of

USER = {"user_id": "demo-user", "email": "demo@example.com", "name": "Demo User"}
ROWS_SHOWN = 5


class PurchaseDemo:
    """A user who buys a package of credits.

    Args:
        environment: The service's environment variables.
        console: Where each step is printed.
    """

    def __init__(self, environment: Mapping[str, str], console: Console) -> None:
        self._customer = Customer(environment, **USER)
        self._console = console

    def run(self) -> None:
        """Buy a package, and print each step and the ledger.

        Raises:
            DemoFailed: the service answered a step with an error, or the balance was wrong at the end.
        """
        before = self._customer.balance
        self._print_step("signed in", f"{USER['user_id']} has {before} credits")
        package = self._customer.get("/credits/packages")[0]
        self._print_step(
            "chose", f"{package['name']}: {package['credits']} credits, {price_of(package['priceEuroCents'])}"
        )
        purchase = self._order(package["id"])
        self._print_step("paid", f"{CARD} at the local Stripe: {self._customer.pay(purchase['clientSecret'])}")
        completed = self._customer.completed(purchase["purchaseId"])
        self._print_step("completed", f"the webhook arrived and a worker wrote the ledger (purchase {completed['id']})")
        self._show_ledger()
        after = self._customer.balance
        self._print_step("balance", f"{before} → {after} credits")
        if after != before + package["credits"]:
            raise DemoFailed(f"expected {before} + {package['credits']} credits, found {after}")

    def _order(self, package_id: str) -> dict[str, Any]:
        started = time.monotonic()
        purchase: dict[str, Any] = self._customer.post("/credits/purchase", {"packageId": package_id})
        elapsed_ms = (time.monotonic() - started) * 1000
        self._print_step("ordered", f"PaymentIntent over {price_of(purchase['amount'])} after {elapsed_ms:.0f} ms")
        return purchase

    def _show_ledger(self) -> None:
        rows = self._customer.get(f"/credits/transactions?limit={ROWS_SHOWN}")
        table = Table("When", "Type", "Amount", "Before", "After", "Description", title="Ledger, newest first")
        for row in rows:
            amounts = (f"{row['amount']:+d}", str(row["balanceBefore"]), str(row["balanceAfter"]))
            table.add_row(row["createdAt"], row["type"], *amounts, row["description"])
        self._console.print(table)

    def _print_step(self, step: str, result: str) -> None:
        self._console.print(f"  [green]✓[/] [bold]{step:<10}[/] {result}", highlight=False)
