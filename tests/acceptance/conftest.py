"""The whole service as it runs: the Procfile's processes, PostgreSQL, Valkey, the local Stripe, an issuer."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import uuid4

import psycopg
import pytest
from stripe import StripeClient

from domain.rules.job_kinds import KINDS
from domain.rules.jobs import LONG_LEASE
from domain.store import Database, invariants
from local.stack import LocalStack
from tests.acceptance.real_stripe import real_stripe_environment
from tests.conftest import ROOT, sqlalchemy_url

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
        """Whether Stripe's own test mode is used, see `tests.acceptance.real_stripe`."""
        return not self.stack.env["STRIPE_API_BASE"]

    def call(self, method: str, path: str, body: Any = None, *, user: str | None = None, **headers: str) -> Answer:
        """Send a request as a user, or as a service; header names with `_` for `-`."""
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        if user:
            told["Authorization"] = f"Bearer {self.stack.token(user)}"
        else:
            told["X-Service-Key"] = self.stack.env["MANA_SERVICE_KEY"]
        if body is not None:
            told["Content-Type"] = "application/json"
        raw = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.stack.base_url}{path}", raw, told, method=method)  # noqa: S310
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
        answer = self.buy(user)
        if answer.status == 202:
            job = eventually(
                lambda: self.call("GET", answer.body["statusUrl"], user=user).body, lambda job: job["status"] == "done"
            )
            return job["result"]
        assert answer.status == 200
        return answer.body

    def pay(self, client_secret: str, card: str = "pm_card_visa") -> None:
        """Pay a PaymentIntent at the local Stripe, as the buyer's browser would."""
        intent_id = client_secret.partition("_secret_")[0]
        back = f"{self.stack.base_url}/done"  # only redirecting methods go there
        self.stripe.v1.payment_intents.confirm(intent_id, {"payment_method": card, "return_url": back})

    def control(self, method: str, path: str, **body: Any) -> Any:
        """Ask the local Stripe's control API."""
        url = f"{self.stack.stripe.url()}/_control{path}"
        told = {"Content-Type": "application/json"}
        request = urllib.request.Request(url, json.dumps(body).encode(), told, method=method)  # noqa: S310
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return json.load(answer)

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `mana-credits` as an operator does."""
        return subprocess.run(
            [sys.executable, "-m", "ops.cli", *words],
            cwd=ROOT,
            env={**os.environ, **self.stack.env},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def heard(self, act: Callable[[], T], wanted: T) -> T:
        """Wait until what happened at Stripe has its effect here: by webhook, or by reconciling with the real one."""

        def look() -> T:
            if self.is_on_real_stripe:
                # 1 is fine: the account may know purchases of an earlier run, which wait for a person.
                assert self.command("reconcile", "--since", "1h").returncode in {0, 1}
            return act()

        return eventually(look, lambda found: found == wanted, within_s=120 if self.is_on_real_stripe else 30)

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
            found = connection.execute(statement, values)
            return found.fetchall() if found.description else []

    def drained(self) -> bool:
        """Tell whether no job is pending, but for what the clock asks for: its long jobs outlive a kill by minutes."""
        long_kinds = [kind.name for kind in KINDS.values() if kind.lease == LONG_LEASE]
        pending = "SELECT count(*) FROM jobs.jobs WHERE state = 'pending' AND kind <> ALL (%s)"
        return self.sql(pending, long_kinds) == [(0,)]


def eventually(act: Callable[[], T], wanted: Callable[[T], bool] = bool, *, within_s: float = 30) -> T:
    """Ask again and again until the answer is the wanted one; it must be within the time."""
    until = time.monotonic() + within_s
    while not wanted(found := act()):
        assert time.monotonic() < until, f"still {found!r} after {within_s} s"
        time.sleep(0.05)
    return found


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One stack for all acceptance tests of the run."""
    environment = real_stripe_environment(os.environ)
    directory = tmp_path_factory.mktemp("stack")
    with LocalStack(directory, environment=environment, postgres_settings={"fsync": "off"}) as stack:
        yield Service(stack)


@pytest.fixture
def service(running: Service) -> Iterator[Service]:
    """The service, ready; after the test every accepted job has ended and every invariant holds."""
    running.stack.wait_until_ready()
    yield running
    eventually(running.drained, within_s=60)
    database = Database(sqlalchemy_url(running.stack.env["DATABASE_URL"]), pool_size=1, statement_timeout_s=30)
    with database.single() as store:
        assert invariants.audit(store) == []
    database.close()


@pytest.fixture
def user() -> str:
    """Somebody new."""
    return f"user-{uuid4().hex[:8]}"
