"""Stripe's moods: whatever it answers, at most one customer per user and one payment per purchase."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import pytest

from domain.rules.purchases import Purchase, Redirects
from domain.units import UserId
from gateways.errors import FinalError, RetryableError
from tests.conftest import at_once
from tests.integration.conftest import ANNA, TIMEOUT_S, House

T = TypeVar("T")

FAULTS = ("500_before", "500_stored", "500_after", "429", "409", "die_after", "hang")
URLS = Redirects(success_url="https://app.example/done", cancel_url="https://app.example/back")
TRIES_MAX = 20


def insist(act: Callable[[], T]) -> T:
    """Try again as jobs do, without their pauses."""
    for _ in range(TRIES_MAX):
        try:
            return act()
        except RetryableError:
            time.sleep(0.1)
    pytest.fail("Stripe never became good")


def misbehave(house: House, fault: str, path: str, times: int = 1) -> None:
    seconds = 3 * TIMEOUT_S if fault == "hang" else 0
    house.local.control("POST", "/misbehaviours", fault=fault, method="POST", path=path, times=times, seconds=seconds)


def made(house: House, kind: str) -> int:
    return len(house.local.control("GET", f"/objects/{kind}"))


def a_day_later(house: House) -> None:
    house.sql("UPDATE credits.stripe_requests SET first_at = first_at - :day", day=timedelta(days=1))
    house.local.control("POST", "/idempotency/forget")


@pytest.fixture
def purchase(house: House) -> Purchase:
    return house.purchase(house.start())


@pytest.fixture
def session_purchase(house: House) -> Purchase:
    return house.purchase(house.start(redirects=URLS))


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("times", [1, 3])
def test_one_customer_per_user(house: House, fault: str, times: int) -> None:
    misbehave(house, fault, "/v1/customers", times)

    first = insist(lambda: house.parts.stripe.ensure_customer(ANNA))

    assert insist(lambda: house.parts.stripe.ensure_customer(ANNA)) == first
    assert made(house, "customer") == 1


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("times", [1, 3])
def test_one_payment_intent_per_purchase(house: House, purchase: Purchase, fault: str, times: int) -> None:
    customer = house.parts.stripe.ensure_customer(ANNA)
    misbehave(house, fault, "/v1/payment_intents", times)

    first = insist(lambda: house.parts.stripe.ensure_payment(purchase, customer))

    assert insist(lambda: house.parts.stripe.ensure_payment(purchase, customer)) == first
    assert made(house, "payment_intent") == 1


@pytest.mark.parametrize("fault", FAULTS)
def test_one_session_per_purchase(house: House, session_purchase: Purchase, fault: str) -> None:
    customer = house.parts.stripe.ensure_customer(ANNA)
    misbehave(house, fault, "/v1/checkout/sessions")

    first = insist(lambda: house.parts.stripe.ensure_payment(session_purchase, customer))

    assert first.checkout_session_id is not None
    assert made(house, "checkout.session") == 1


@pytest.mark.parametrize("fault", FAULTS)
def test_one_refund_per_request(house: House, fault: str) -> None:
    paid = house.paid()
    misbehave(house, fault, "/v1/refunds")

    def refund() -> str:
        return house.parts.stripe.ensure_refund(
            paid, amount=paid.price_euro_cents, reason="duplicate", asked_before=paid.refunded_euro_cents
        )

    assert insist(refund) == insist(refund)
    assert made(house, "refund") == 1


@pytest.mark.parametrize("fault", ["die_after", "500_after"])
def test_what_was_made_is_found_when_its_key_is_forgotten(house: House, purchase: Purchase, fault: str) -> None:
    customer = house.parts.stripe.ensure_customer(ANNA)
    misbehave(house, fault, "/v1/payment_intents")
    with pytest.raises(RetryableError):
        house.parts.stripe.ensure_payment(purchase, customer)

    a_day_later(house)

    insist(lambda: house.parts.stripe.ensure_payment(purchase, customer))
    assert made(house, "payment_intent") == 1


def test_a_customer_is_found_when_its_key_is_forgotten(house: House) -> None:
    first = house.parts.stripe.ensure_customer(ANNA)

    a_day_later(house)

    assert house.parts.stripe.ensure_customer(ANNA) == first
    assert made(house, "customer") == 1


@pytest.mark.parametrize("fault", [None, *FAULTS])
def test_eight_workers_at_once_make_one_of_each(house: House, purchase: Purchase, fault: str | None) -> None:
    if fault:
        misbehave(house, fault, "/v1/customers", 2)
        misbehave(house, fault, "/v1/payment_intents", 2)

    def act(_number: int) -> str | None:
        customer = insist(lambda: house.parts.stripe.ensure_customer(ANNA))
        return insist(lambda: house.parts.stripe.ensure_payment(purchase, customer)).payment_intent_id

    assert len(set(at_once(8, act))) == 1
    assert (made(house, "customer"), made(house, "payment_intent")) == (1, 1)


def test_a_call_that_hangs_is_given_up_after_the_time_out(house: House) -> None:
    misbehave(house, "hang", "/v1/customers")
    began = time.monotonic()

    with pytest.raises(RetryableError):
        house.parts.stripe.ensure_customer(ANNA)

    assert time.monotonic() - began < 2.5 * TIMEOUT_S
    time.sleep(3 * TIMEOUT_S)  # leave the next test a Stripe that is idle


def test_what_stripe_will_never_accept_is_final(house: House, purchase: Purchase) -> None:
    with pytest.raises(FinalError, match="No such customer"):
        house.parts.stripe.ensure_payment(purchase, "cus_unknown")


def test_a_refusal_that_stripe_keeps_is_not_repeated_when_its_cause_is_gone(house: House) -> None:
    paid = house.paid()
    dispute = house.local.control("POST", f"/payment_intents/{paid.stripe_payment_intent_id}/dispute")

    def refund() -> str:
        return house.parts.stripe.ensure_refund(
            paid, amount=paid.price_euro_cents, reason="duplicate", asked_before=paid.refunded_euro_cents
        )

    with pytest.raises(FinalError, match="charged back"):
        refund()
    house.local.control("POST", f"/disputes/{dispute['id']}/win")

    assert refund().startswith("re_")
    house.hear()


def test_users_whose_purchases_begin_together_get_a_customer_each(house: House) -> None:
    for number in range(4):
        house.start(user_id=UserId(f"user-{number % 2}"))

    house.work()

    assert (made(house, "customer"), made(house, "payment_intent")) == (2, 4)
