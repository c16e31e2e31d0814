"""Stripe's moods: whatever it answers, at most one customer per user and one payment per purchase."""

import socket
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TypeVar

import pytest

from domain.rules.purchases import Purchase, Redirects
from domain.units import UserId
from gateways.errors import FinalError, RetryableError
from gateways.stripe.client import TIMEOUT_S
from tests.support.in_process import STRIPE_TIMEOUT_S, InProcessService
from tests.support.threads import at_once
from tests.support.users import ANNA
from tests.support.worker import worker

T = TypeVar("T")

FAULTS = ("500_before", "500_stored", "500_after", "429", "409", "die_after", "hang")
URLS = Redirects(success_url="https://app.example/done", cancel_url="https://app.example/back")
ATTEMPTS_MAX = 20


def insist(act: Callable[[], T]) -> T:
    """Try again as jobs do, without their pauses."""
    for _ in range(ATTEMPTS_MAX):
        try:
            return act()
        except RetryableError:
            time.sleep(0.1)
    pytest.fail("Stripe never became good")


def misbehave(in_process: InProcessService, fault: str, path: str, times: int = 1) -> None:
    seconds = 3 * STRIPE_TIMEOUT_S if fault == "hang" else 0
    in_process.local.control(
        "POST", "/misbehaviours", fault=fault, method="POST", path=path, times=times, seconds=seconds
    )


def count(in_process: InProcessService, kind: str) -> int:
    return len(in_process.local.control("GET", f"/objects/{kind}"))


def a_day_later(in_process: InProcessService) -> None:
    in_process.sql("UPDATE credits.stripe_requests SET first_at = first_at - :day", day=timedelta(days=1))
    in_process.local.control("POST", "/idempotency/forget")


def refund_all(in_process: InProcessService, paid: Purchase) -> str:
    """Let Stripe pay the whole price back; returns the id of the Stripe refund."""
    return in_process.parts.stripe.ensure_refund(
        paid, amount=paid.price_euro_cents, reason="duplicate", asked_before=paid.refunded_euro_cents
    )


@pytest.fixture
def purchase(in_process: InProcessService) -> Purchase:
    return in_process.purchase(in_process.start())


@pytest.fixture
def session_purchase(in_process: InProcessService) -> Purchase:
    return in_process.purchase(in_process.start(redirects=URLS))


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("times", [1, 3])
def test_one_customer_per_user(in_process: InProcessService, fault: str, times: int) -> None:
    misbehave(in_process, fault, "/v1/customers", times)

    first = insist(lambda: in_process.parts.stripe.ensure_customer(ANNA))

    assert insist(lambda: in_process.parts.stripe.ensure_customer(ANNA)) == first
    assert count(in_process, "customer") == 1


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("times", [1, 3])
def test_one_payment_intent_per_purchase(
    in_process: InProcessService, purchase: Purchase, fault: str, times: int
) -> None:
    customer = in_process.parts.stripe.ensure_customer(ANNA)
    misbehave(in_process, fault, "/v1/payment_intents", times)

    first = insist(lambda: in_process.parts.stripe.ensure_payment(purchase, customer))

    assert insist(lambda: in_process.parts.stripe.ensure_payment(purchase, customer)) == first
    assert count(in_process, "payment_intent") == 1


@pytest.mark.parametrize("fault", FAULTS)
def test_one_session_per_purchase(in_process: InProcessService, session_purchase: Purchase, fault: str) -> None:
    customer = in_process.parts.stripe.ensure_customer(ANNA)
    misbehave(in_process, fault, "/v1/checkout/sessions")

    first = insist(lambda: in_process.parts.stripe.ensure_payment(session_purchase, customer))

    assert first.checkout_session_id is not None
    assert count(in_process, "checkout.session") == 1


@pytest.mark.parametrize("fault", FAULTS)
def test_one_refund_per_request(in_process: InProcessService, fault: str) -> None:
    paid = in_process.paid()
    misbehave(in_process, fault, "/v1/refunds")
    refund = partial(refund_all, in_process, paid)

    assert insist(refund) == insist(refund)
    assert count(in_process, "refund") == 1


@pytest.mark.parametrize("fault", ["die_after", "500_after"])
def test_what_was_made_is_found_when_its_key_is_forgotten(
    in_process: InProcessService, purchase: Purchase, fault: str
) -> None:
    customer = in_process.parts.stripe.ensure_customer(ANNA)
    misbehave(in_process, fault, "/v1/payment_intents")
    with pytest.raises(RetryableError):
        in_process.parts.stripe.ensure_payment(purchase, customer)

    a_day_later(in_process)

    insist(lambda: in_process.parts.stripe.ensure_payment(purchase, customer))
    assert count(in_process, "payment_intent") == 1


def test_a_customer_is_found_when_its_key_is_forgotten(in_process: InProcessService) -> None:
    first = in_process.parts.stripe.ensure_customer(ANNA)

    a_day_later(in_process)

    assert in_process.parts.stripe.ensure_customer(ANNA) == first
    assert count(in_process, "customer") == 1


@pytest.mark.parametrize("fault", [None, *FAULTS])
def test_eight_workers_at_once_make_one_of_each(
    in_process: InProcessService, purchase: Purchase, fault: str | None
) -> None:
    if fault:
        misbehave(in_process, fault, "/v1/customers", 2)
        misbehave(in_process, fault, "/v1/payment_intents", 2)

    def act(_number: int) -> str | None:
        customer = insist(lambda: in_process.parts.stripe.ensure_customer(ANNA))
        return insist(lambda: in_process.parts.stripe.ensure_payment(purchase, customer)).payment_intent_id

    assert len(set(at_once(8, act))) == 1
    assert (count(in_process, "customer"), count(in_process, "payment_intent")) == (1, 1)


def test_a_call_that_hangs_is_given_up_after_the_time_out(in_process: InProcessService) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and never answers
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        parts = worker(in_process.database, stripe_url=url, stripe_timeout_s=STRIPE_TIMEOUT_S)
        began = time.monotonic()
        with pytest.raises(RetryableError):
            parts.stripe.ensure_customer(ANNA)

    assert time.monotonic() - began < TIMEOUT_S  # that of production, were ours not used


def test_what_stripe_will_never_accept_is_final(in_process: InProcessService, purchase: Purchase) -> None:
    with pytest.raises(FinalError, match="No such customer"):
        in_process.parts.stripe.ensure_payment(purchase, "cus_unknown")


def test_a_refusal_that_stripe_keeps_is_not_repeated_when_its_cause_is_gone(in_process: InProcessService) -> None:
    paid = in_process.paid()
    dispute = in_process.local.control("POST", f"/payment_intents/{paid.stripe_payment_intent_id}/dispute")

    with pytest.raises(FinalError, match="charged back"):
        refund_all(in_process, paid)
    in_process.local.control("POST", f"/disputes/{dispute['id']}/win")

    assert refund_all(in_process, paid).startswith("re_")
    in_process.hear()


def test_users_whose_purchases_begin_together_get_a_customer_each(in_process: InProcessService) -> None:
    for number in range(4):
        in_process.start(user_id=UserId(f"user-{number % 2}"))

    in_process.work()

    assert (count(in_process, "customer"), count(in_process, "payment_intent")) == (2, 4)
