"""A user of the local stack: reads, orders and pays over HTTP, and waits for the results."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar
from uuid import uuid4

import stripe

from local.calls import Reply, call
from local.state import token_from

CARD: Final = "pm_card_visa"
WAIT_MAX_S: Final = 30.0
POLL_EVERY_S: Final = 0.1

T = TypeVar("T")


class DemoFailed(RuntimeError):
    """The demonstration went wrong. The message says at which step, and what the service answered."""


class Customer:
    """A user who calls the API with a token of the local issuer.

    Args:
        environment: The service's environment variables.
        user_id: The user's id.
        claims: Further claims of the token: `email`, `name`.
    """

    def __init__(self, environment: Mapping[str, str], *, user_id: str, **claims: str) -> None:
        self.user_id = user_id
        self._api = f"{environment['BASE_URL']}/api/v1"
        self._token = token_from(environment["MANA_AUTH_URL"], user_id, **claims)
        self._stripe = stripe.StripeClient(
            environment["STRIPE_SECRET_KEY"],
            base_addresses={"api": environment["STRIPE_API_BASE"]},
            max_network_retries=0,
        )

    @property
    def balance(self) -> int:
        """The user's balance, in credits."""
        balance: int = self.get("/credits/balance")["balance"]
        return balance

    def get(self, path: str) -> Any:
        """Send a GET and return the JSON of the response.

        Raises:
            DemoFailed: the status was not 200.
        """
        return self._result(self._call("GET", path))

    def post(self, path: str, body: object = None) -> Any:
        """Send a POST and return its result; where the service answers 202, wait until the job has ended.

        Raises:
            DemoFailed: the request was refused, or its job was not done in time.
        """
        reply = self._call("POST", path, body, key=str(uuid4()))
        if reply.status != 202:  # noqa: PLR2004 - Accepted
            return self._result(reply)
        job_path = reply.headers["Location"].partition("/api/v1")[2]
        job = wait_for("the job", lambda: self.get(job_path), lambda job: job["status"] != "pending")
        if job["status"] != "done":
            raise DemoFailed(f"the job of {path} ended {job['status']}: {job['problem']}")
        return job["result"]

    def pay(self, client_secret: str) -> str:
        """Pay a PaymentIntent as the browser would, and return its status.

        Raises:
            DemoFailed: Stripe refused the payment.
        """
        intent_id = client_secret.partition("_secret_")[0]
        try:
            intent = self._stripe.v1.payment_intents.confirm(intent_id, {"payment_method": CARD})
        except stripe.StripeError as error:
            raise DemoFailed(f"the local Stripe refused the payment: {error}") from error
        return intent.status

    def completed(self, purchase_id: str) -> dict[str, Any]:
        """Wait until a paid purchase is completed, and return it.

        Raises:
            DemoFailed: it was not completed in time, or ended in another status.
        """
        path = f"/credits/purchase/{purchase_id}"
        purchase: dict[str, Any] = wait_for(
            "the purchase", lambda: self.get(path), lambda purchase: purchase["status"] != "pending"
        )
        if purchase["status"] != "completed":
            raise DemoFailed(f"the purchase ended {purchase['status']}")
        return purchase

    def _call(self, method: str, path: str, body: object = None, *, key: str | None = None) -> Reply:
        headers = {"Authorization": f"Bearer {self._token}", **({"Idempotency-Key": key} if key else {})}
        return call(method, f"{self._api}{path}", body=body, headers=headers)

    def _result(self, reply: Reply) -> Any:
        if reply.status != 200:  # noqa: PLR2004 - OK
            raise DemoFailed(f"answered {reply.status}: {reply.text[:500]}")
        return reply.json()


def wait_for(what: str, read: Callable[[], T], is_over: Callable[[T], bool]) -> T:
    """Call `read` again and again until `is_over` is true of its result, and return that result.

    Raises:
        DemoFailed: it was not over within 30 s; `what` names it in the message.
    """
    deadline = time.monotonic() + WAIT_MAX_S
    while not is_over(value := read()):
        if time.monotonic() > deadline:
            raise DemoFailed(f"{what} was still pending after {WAIT_MAX_S:g} s")
        time.sleep(POLL_EVERY_S)
    return value


def price_of(euro_cents: int) -> str:
    """Return an amount of money as text for people, such as `4.99 €`."""
    return f"{euro_cents / 100:.2f} €"
