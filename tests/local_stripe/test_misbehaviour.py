import time

import pytest
import stripe

from tests.support.local_stripe import LocalStripe
from tests.support.stripe_calls import create_intent

INTENT = {"amount": "999", "currency": "eur"}
PATH = "/v1/payment_intents"


def count_intents(local: LocalStripe) -> int:
    return int(local.control("GET", "/objects").get("payment_intent", 0))


@pytest.mark.parametrize(
    ("fault", "statuses", "intent_counts"),
    [
        ("500_before", [500, 200], [0, 1]),
        ("500_stored", [500, 500], [0, 0]),
        ("500_after", [500, 500], [1, 1]),
        ("429", [429, 200], [0, 1]),
        ("409", [409, 200], [0, 1]),
    ],
)
def test_a_fault_and_the_repeat_with_its_key(
    local: LocalStripe, fault: str, statuses: list[int], intent_counts: list[int]
) -> None:
    local.control("POST", "/misbehaviours", fault=fault, method="POST", path=PATH)

    results = [(local.api("POST", PATH, key="k1", **INTENT).status, count_intents(local)) for _ in range(2)]

    assert results == list(zip(statuses, intent_counts, strict=True))


def test_an_answer_kept_for_the_key_says_not_to_retry(local: LocalStripe) -> None:
    local.control("POST", "/misbehaviours", fault="500_after", path=PATH)

    kept = local.api("POST", PATH, key="k1", **INTENT)

    assert (kept.json()["error"]["type"], kept.headers["Stripe-Should-Retry"]) == ("api_error", "false")


def test_a_dead_connection_hides_work_that_was_done(local: LocalStripe, client: stripe.StripeClient) -> None:
    local.control("POST", "/misbehaviours", fault="die_after", method="POST", path=PATH)

    with pytest.raises(stripe.APIConnectionError):
        client.v1.payment_intents.create({"amount": 999, "currency": "eur"}, {"idempotency_key": "k1"})

    assert count_intents(local) == 1
    again = client.v1.payment_intents.create({"amount": 999, "currency": "eur"}, {"idempotency_key": "k1"})
    assert [again.id] == [intent.id for intent in client.v1.payment_intents.list().data]


def test_a_hanging_call_ends_well_at_last(local: LocalStripe) -> None:
    local.control("POST", "/misbehaviours", fault="hang", seconds=0.5, path=PATH)
    started = time.monotonic()

    answer = local.api("POST", PATH, **INTENT)

    assert (answer.status, time.monotonic() - started >= 0.5) == (200, True)


def test_a_fault_hits_only_what_it_is_meant_for_and_as_often(local: LocalStripe, client: stripe.StripeClient) -> None:
    local.control("POST", "/misbehaviours", fault="429", method="POST", path=PATH, times=2)

    client.v1.customers.create({})
    client.v1.payment_intents.list()
    for _ in range(2):
        with pytest.raises(stripe.RateLimitError):
            create_intent(client)

    assert create_intent(client).status == "requires_payment_method"


def test_faults_can_be_called_off(local: LocalStripe, client: stripe.StripeClient) -> None:
    local.control("POST", "/misbehaviours", fault="500_before", times=100)

    local.control("DELETE", "/misbehaviours")

    assert create_intent(client).status == "requires_payment_method"


def test_an_unknown_fault_is_refused(local: LocalStripe) -> None:
    headers = {"Content-Type": "application/json"}

    answer = local.http("POST", "/_control/misbehaviours", body='{"fault": "418"}', headers=headers)

    assert answer.status == 400
