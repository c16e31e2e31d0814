"""The whole service as it runs: the Procfile's processes, PostgreSQL, Valkey, the local Stripe, an issuer."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar
from uuid import uuid4

import psycopg
from stripe import StripeClient

from domain.rules.job_kinds import KINDS
from domain.rules.jobs import LONG_LEASE
from local.stack import LocalStack
from tests.support.paths import ROOT

PATIENCE_S: Final = 120.0
"""How long a test waits for what must happen. It says nothing about speed: a busy machine may need that long."""

T = TypeVar("T")


@dataclass(frozen=True)
class Answer:
    """What came back over HTTP."""

    status: int
    body: Any
    headers: dict[str, str]


@dataclass
class Service:
    """A running service, used as its clients use it."""

    stack: LocalStack
    stripe: StripeClient = field(init=False)

    def __post_init__(self) -> None:
        base = self.stack.env["STRIPE_API_BASE"]
        self.stripe = StripeClient(self.stack.env["STRIPE_SECRET_KEY"], base_addresses={"api": base} if base else {})

    @property
    def is_on_real_stripe(self) -> bool:
        """Whether Stripe's own test mode is used, see `tests.support.real_stripe`."""
        return not self.stack.env["STRIPE_API_BASE"]

    def call(self, method: str, path: str, body: Any = None, *, user: str | None = None, **headers: str) -> Answer:
        """Send a request as a user, or as a service; header names with `_` for `-`."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if user:
            sent["Authorization"] = f"Bearer {self.stack.token(user)}"
        else:
            sent["X-Service-Key"] = self.stack.env["MANA_SERVICE_KEY"]
        if body is not None:
            sent["Content-Type"] = "application/json"
        raw = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.stack.base_url}{path}", raw, sent, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return Answer(answer.status, json.load(answer), dict(answer.headers))
        except urllib.error.HTTPError as error:
            return Answer(error.code, json.load(error), dict(error.headers))

    def buy(self, user: str, **headers: str) -> Answer:
        """Start the purchase of the smallest package."""
        package = self.call("GET", "/api/v1/credits/packages", user=user).body[0]
        return self.call("POST", "/api/v1/credits/purchase", {"packageId": package["id"]}, user=user, **headers)

    def bought(self, user: str) -> Any:
        """Start a purchase and follow it until it can be paid, however long the worker takes."""
        return self.result(self.buy(user), user)

    def result(self, answer: Answer, user: str | None = None) -> Any:
        """Read what came of a request: at once, or by following its job until it is done."""
        if answer.status == 200:
            return answer.body
        assert answer.status == 202, answer.body
        job = eventually(
            lambda: self.call("GET", answer.body["statusUrl"], user=user).body, lambda job: job["status"] == "done"
        )
        return job["result"]

    def pay(self, client_secret: str, card: str = "pm_card_visa") -> None:
        """Pay a PaymentIntent at the local Stripe, as the buyer's browser would."""
        intent_id = client_secret.partition("_secret_")[0]
        back = f"{self.stack.base_url}/done"  # only redirecting methods go there
        self.stripe.v1.payment_intents.confirm(intent_id, {"payment_method": card, "return_url": back})

    def control(self, method: str, path: str, **body: Any) -> Any:
        """Ask the local Stripe's control API."""
        url = f"{self.stack.stripe.url()}/_control{path}"
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(url, json.dumps(body).encode(), headers, method=method)  # noqa: S310
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return json.load(answer)

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `mana-credits` as an operator does."""
        return subprocess.run(
            [sys.executable, "-m", "ops.cli", *words],
            cwd=ROOT,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )

    def environment(self, **changes: str) -> dict[str, str]:
        """Write the environment of the service's processes, with this Python's programs first on the path."""
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, **self.stack.env, "PATH": programs, **changes}

    def heard(self, act: Callable[[], T], expected: T) -> T:
        """Wait until what happened at Stripe has its effect here: by webhook, or by reconciling with the real one."""

        def look() -> T:
            if self.is_on_real_stripe:
                # 1 is fine: the account may know purchases of an earlier run, which wait for a person.
                assert self.command("reconcile", "--since", "1h").returncode in {0, 1}
            return act()

        return eventually(look, lambda effect: effect == expected)

    def grant(self, user: str, amount: int) -> None:
        """Give a user credits."""
        body = {"userId": user, "amount": amount, "reason": "test", "referenceId": uuid4().hex}
        assert self.call("POST", "/api/v1/internal/credits/grant", body).status == 200

    def top_up(self, user: str) -> None:
        """Buy the smallest package, 100 credits, and wait until they are there."""
        before = self.balance(user)
        self.pay(self.bought(user)["clientSecret"])
        self.heard(lambda: self.balance(user), before + 100)

    def let_month_pass(self, user: str) -> Any:
        """Move a user's subscription a month into the past, and let the charges run; returns what came of them."""
        self.sql(
            "UPDATE credits.sync_subscriptions SET anchor_at = anchor_at - interval '32 days',"
            " next_charge_at = next_charge_at - interval '32 days' WHERE user_id = %s",
            user,
        )
        return self.result(self.call("POST", "/api/v1/internal/sync/charge-recurring"))

    def purchase(self, user: str, purchase_id: str) -> Any:
        """Read a purchase."""
        return self.call("GET", f"/api/v1/credits/purchase/{purchase_id}", user=user).body

    def balance(self, user: str) -> int:
        """Read a balance."""
        balance: int = self.call("GET", f"/api/v1/internal/credits/balance/{user}").body["balance"]
        return balance

    def sql(self, statement: str, *values: Any) -> list[Any]:
        """Ask the service's database as its owner."""
        with psycopg.connect(self.stack.env["MIGRATION_DATABASE_URL"], autocommit=True) as connection:
            result = connection.execute(statement, values)
            return result.fetchall() if result.description else []

    def drained(self) -> bool:
        """Tell whether no job is pending, but for what the clock asks for: its long jobs outlive a kill by minutes."""
        long_kinds = [kind.name for kind in KINDS.values() if kind.lease == LONG_LEASE]
        pending = "SELECT count(*) FROM jobs.jobs WHERE state = 'pending' AND kind <> ALL (%s)"
        return self.sql(pending, long_kinds) == [(0,)]


def eventually(act: Callable[[], T], accept: Callable[[T], bool] = bool, *, within_s: float = PATIENCE_S) -> T:
    """Call again and again until the answer is accepted; it must be within the time."""
    until = time.monotonic() + within_s
    while not accept(answer := act()):
        assert time.monotonic() < until, f"still {answer!r} after {within_s} s"
        time.sleep(0.05)
    return answer
