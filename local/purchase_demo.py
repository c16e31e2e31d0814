"""A purchase as a user makes one, over HTTP, from an empty purse to a line in the ledger."""

import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from local.customer import CARD, Customer, DemoFailed, price_of

USER = {"user_id": "demo-user", "email": "demo@example.com", "name": "Demo User"}
ROWS_SHOWN = 5


class PurchaseDemo:
    """The demonstration user and what they do.

    Args:
        environment: The variables of the contract, as the service has them.
        console: Where each step is told.
    """

    def __init__(self, environment: Mapping[str, str], console: Console) -> None:
        self._customer = Customer(environment, **USER)
        self._console = console

    def run(self) -> None:
        """Buy a package and show what became of it.

        Raises:
            DemoFailed: a step was answered otherwise than it should be.
        """
        before = self._customer.balance
        self._tell("signed in", f"{USER['user_id']} has {before} credits")
        package = self._customer.get("/credits/packages")[0]
        self._tell("chose", f"{package['name']}: {package['credits']} credits, {price_of(package['priceEuroCents'])}")
        purchase = self._order(package["id"])
        self._tell("paid", f"{CARD} at the local Stripe: {self._customer.pay(purchase['clientSecret'])}")
        done = self._customer.completed(purchase["purchaseId"])
        self._tell("completed", f"the webhook arrived and a worker wrote the ledger (purchase {done['id']})")
        self._show_ledger()
        after = self._customer.balance
        self._tell("balance", f"{before} → {after} credits")
        if after != before + package["credits"]:
            raise DemoFailed(f"expected {before} + {package['credits']} credits, found {after}")

    def _order(self, package_id: str) -> dict[str, Any]:
        began = time.monotonic()
        ordered: dict[str, Any] = self._customer.post("/credits/purchase", {"packageId": package_id})
        took_ms = (time.monotonic() - began) * 1000
        self._tell("ordered", f"PaymentIntent over {price_of(ordered['amount'])} after {took_ms:.0f} ms")
        return ordered

    def _show_ledger(self) -> None:
        rows = self._customer.get(f"/credits/transactions?limit={ROWS_SHOWN}")
        table = Table("When", "Type", "Amount", "Before", "After", "Description", title="Ledger, newest first")
        for row in rows:
            amounts = (f"{row['amount']:+d}", str(row["balanceBefore"]), str(row["balanceAfter"]))
            table.add_row(row["createdAt"], row["type"], *amounts, row["description"])
        self._console.print(table)

    def _tell(self, step: str, what: str) -> None:
        self._console.print(f"  [green]✓[/] [bold]{step:<10}[/] {what}", highlight=False)
