"""A user of the local stack, who does over HTTP what users do: reads, orders, pays, and waits until it is done."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar
from uuid import uuid4

import stripe

from local.calls import Reply, call
from local.state import token_from

CARD: Final = "pm_card_visa"
WITHIN_S: Final = 30.0
LOOK_EVERY_S: Final = 0.1

T = TypeVar("T")


class DemoFailed(RuntimeError):
    """The demonstration did not go as it should. The message says at which step, and what was answered."""


class Customer:
    """A user with a token.

    Args:
        environment: The variables of the contract, as the service has them.
        user_id: The user's id.
        told: What else the token tells: `email`, `name`.
    """

    def __init__(self, environment: Mapping[str, str], *, user_id: str, **told: str) -> None:
        self.user_id = user_id
        self._api = f"{environment['BASE_URL']}/api/v1"
        self._token = token_from(environment["MANA_AUTH_URL"], user_id, **told)
        self._stripe = stripe.StripeClient(
            environment["STRIPE_SECRET_KEY"],
            base_addresses={"api": environment["STRIPE_API_BASE"]},
            max_network_retries=0,
        )

    @property
    def balance(self) -> int:
        """What the user has, in credits."""
        balance: int = self.get("/credits/balance")["balance"]
        return balance

    def get(self, path: str) -> Any:
        """Read something.

        Raises:
            DemoFailed: the answer was none of success.
        """
        return self._expect(self._call("GET", path))

    def post(self, path: str, body: object = None) -> Any:
        """Do something once, and follow its job to the end where that takes longer than the answer waits.

        Raises:
            DemoFailed: it was refused, or not done in time.
        """
        reply = self._call("POST", path, body, key=str(uuid4()))
        if reply.status != 202:  # noqa: PLR2004 - Accepted
            return self._expect(reply)
        job_path = reply.headers["Location"].partition("/api/v1")[2]
        job = wait_for("the job", lambda: self.get(job_path), lambda job: job["status"] != "pending")
        if job["status"] != "done":
            raise DemoFailed(f"the job of {path} ended {job['status']}: {job['problem']}")
        return job["result"]

    def pay(self, client_secret: str) -> str:
        """Pay a PaymentIntent as the browser would; returns its status.

        Raises:
            DemoFailed: Stripe refused.
        """
        intent_id = client_secret.partition("_secret_")[0]
        try:
            paid = self._stripe.v1.payment_intents.confirm(intent_id, {"payment_method": CARD})
        except stripe.StripeError as error:
            raise DemoFailed(f"the local Stripe refused the payment: {error}") from error
        return paid.status

    def completed(self, purchase_id: str) -> dict[str, Any]:
        """Wait until a paid purchase is completed, and read it.

        Raises:
            DemoFailed: it was not in time, or ended otherwise.
        """
        path = f"/credits/purchase/{purchase_id}"
        ended: dict[str, Any] = wait_for(
            "the purchase", lambda: self.get(path), lambda found: found["status"] != "pending"
        )
        if ended["status"] != "completed":
            raise DemoFailed(f"the purchase ended {ended['status']}")
        return ended

    def _call(self, method: str, path: str, body: object = None, *, key: str | None = None) -> Reply:
        headers = {"Authorization": f"Bearer {self._token}", **({"Idempotency-Key": key} if key else {})}
        return call(method, f"{self._api}{path}", body=body, headers=headers)

    def _expect(self, reply: Reply) -> Any:
        if reply.status != 200:  # noqa: PLR2004 - OK
            raise DemoFailed(f"answered {reply.status}: {reply.text[:500]}")
        return reply.json()


def wait_for(what: str, read: Callable[[], T], is_over: Callable[[T], bool]) -> T:
    """Read until it is over; returns what was read last.

    Raises:
        DemoFailed: it was not over within 30 s.
    """
    deadline = time.monotonic() + WITHIN_S
    while not is_over(found := read()):
        if time.monotonic() > deadline:
            raise DemoFailed(f"{what} was still pending after {WITHIN_S:g} s")
        time.sleep(LOOK_EVERY_S)
    return found


def price_of(euro_cents: int) -> str:
    """Write an amount of money for people."""
    return f"{euro_cents / 100:.2f} €"
