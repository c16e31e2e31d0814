import threading

import pytest
import stripe

from tests.support.local_stripe import LocalStripe
from tests.support.stripe_calls import create_intent

INTENT = {"amount": "999", "currency": "eur"}


def count(local: LocalStripe, kind: str) -> int:
    return int(local.control("GET", "/objects").get(kind, 0))


def test_a_repeated_key_gets_the_first_answer(local: LocalStripe) -> None:
    first = local.api("POST", "/v1/payment_intents", key="k1", **INTENT)
    again = local.api("POST", "/v1/payment_intents", key="k1", **INTENT)

    assert again.json() == first.json()
    assert (first.headers["Idempotent-Replayed"], again.headers["Idempotent-Replayed"]) == (None, "true")
    assert again.headers["Original-Request"] == first.headers["Request-Id"] != again.headers["Request-Id"]
    assert count(local, "payment_intent") == 1


def test_a_key_is_for_one_set_of_parameters(local: LocalStripe, client: stripe.StripeClient) -> None:
    client.v1.customers.create({"name": "Ada"}, {"idempotency_key": "k1"})

    with pytest.raises(stripe.IdempotencyError, match="same parameters"):
        client.v1.customers.create({"name": "Eve"}, {"idempotency_key": "k1"})

    assert count(local, "customer") == 1


def test_a_key_is_for_one_endpoint(client: stripe.StripeClient) -> None:
    client.v1.customers.create({}, {"idempotency_key": "k1"})

    with pytest.raises(stripe.IdempotencyError, match="same endpoint"):
        client.v1.payment_intents.create({"amount": 999, "currency": "eur"}, {"idempotency_key": "k1"})


def test_a_declined_card_is_replayed(local: LocalStripe, client: stripe.StripeClient) -> None:
    intent = create_intent(client)
    path, method = f"/v1/payment_intents/{intent.id}/confirm", "pm_card_visa_chargeDeclined"

    first = local.api("POST", path, key="k1", payment_method=method)
    again = local.api("POST", path, key="k1", payment_method=method)

    assert (first.status, again.status, again.json()) == (402, 402, first.json())
    assert count(local, "charge") == 1


def test_refused_parameters_do_not_use_up_a_key(local: LocalStripe) -> None:
    refused = local.api("POST", "/v1/payment_intents", key="k1", amount="ten", currency="eur")
    repeated = local.api("POST", "/v1/payment_intents", key="k1", **INTENT)

    assert (refused.status, repeated.status) == (400, 200)


def test_a_running_key_is_in_use(local: LocalStripe) -> None:
    local.control("POST", "/misbehaviours", fault="hang", method="POST", path="/v1/payment_intents", seconds=0.6)
    answers = []
    first = threading.Thread(
        target=lambda: answers.append(local.api("POST", "/v1/payment_intents", key="k1", **INTENT))
    )
    first.start()
    while local.control("GET", "/misbehaviours"):  # until the fault has hit the first call
        pass

    second = local.api("POST", "/v1/payment_intents", key="k1", **INTENT)
    first.join()

    assert (second.status, second.json()["error"]["code"]) == (409, "idempotency_key_in_use")
    assert second.headers["Stripe-Should-Retry"] == "true"
    assert [answer.status for answer in answers] == [200]
    assert local.api("POST", "/v1/payment_intents", key="k1", **INTENT).json() == answers[0].json()


def test_sixteen_calls_with_one_key_make_one_intent(local: LocalStripe) -> None:
    answers = []

    def create() -> None:
        answers.append(local.api("POST", "/v1/payment_intents", key="k1", **INTENT))

    threads = [threading.Thread(target=create) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {answer.status for answer in answers} <= {200, 409}
    assert count(local, "payment_intent") == 1


def test_reading_takes_no_notice_of_keys(local: LocalStripe) -> None:
    headers = {"Authorization": "Bearer sk_test_x", "Idempotency-Key": "k1"}
    before = local.http("GET", "/v1/customers", headers=headers)
    local.api("POST", "/v1/customers", key="k1", name="Ada")
    after = local.http("GET", "/v1/customers", headers=headers)

    assert (len(before.json()["data"]), len(after.json()["data"])) == (0, 1)


def test_forgotten_keys_do_the_work_again(local: LocalStripe) -> None:
    local.api("POST", "/v1/customers", key="k1", name="Ada")

    local.control("POST", "/idempotency/forget")
    local.api("POST", "/v1/customers", key="k1", name="Ada")

    assert count(local, "customer") == 2
