"""The pure rules: pauses, the states of a purchase, keys, ids."""

import random
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Parked
from domain.ids import new_id
from domain.rules.idempotency import ClientKey, fingerprint
from domain.rules.jobs import backoff
from domain.rules.purchases import (
    PaymentFact,
    PaymentOutcome,
    Purchase,
    PurchaseStatus,
    check_payment,
    next_status,
)
from domain.units import Credits, EuroCents, UserId
from tests.support.purchases import payment_fact

OUTCOMES = list(PaymentOutcome)


# ---------------------------------------------------------------- pauses between attempts


@pytest.mark.parametrize(
    ("attempts", "seconds"),
    [(1, 2), (2, 4), (3, 8), (4, 16), (5, 32), (6, 64), (7, 128), (8, 256), (9, 300), (60, 300)],
)
def test_pauses_double_up_to_five_minutes(attempts: int, seconds: int) -> None:
    assert backoff(attempts, jitter=0.0) == timedelta(seconds=seconds)


@given(st.integers(1, 1_000), st.floats(0, 1))
def test_jitter_adds_at_most_a_quarter(attempts: int, jitter: float) -> None:
    plain = backoff(attempts, jitter=0.0)

    assert plain <= backoff(attempts, jitter=jitter) <= plain * 1.25


def test_all_eight_attempts_of_a_job_are_within_fifteen_minutes() -> None:
    assert sum((backoff(attempt, jitter=1.0) for attempt in range(1, 8)), timedelta()) < timedelta(minutes=15)


# ---------------------------------------------------------------- states of a purchase


def end_of(outcomes: list[PaymentOutcome], begin: PurchaseStatus = PurchaseStatus.PENDING) -> PurchaseStatus:
    status = begin
    for outcome in outcomes:
        status = next_status(status, outcome)
    return status


@given(st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=9), st.randoms(use_true_random=False))
def test_facts_in_any_order_and_number_lead_to_one_end(outcomes: list[PaymentOutcome], chance: random.Random) -> None:
    disordered = outcomes * 2
    chance.shuffle(disordered)

    assert end_of(disordered) is end_of(outcomes) is end_of(sorted(set(outcomes)))


@given(st.lists(st.sampled_from(OUTCOMES), max_size=9), st.lists(st.sampled_from(OUTCOMES), max_size=9))
def test_money_received_wins_over_all(before: list[PaymentOutcome], after: list[PaymentOutcome]) -> None:
    assert end_of([*before, PaymentOutcome.SUCCEEDED, *after]) is PurchaseStatus.COMPLETED


@given(st.lists(st.sampled_from(OUTCOMES), max_size=9))
def test_a_refunded_purchase_stays_refunded(outcomes: list[PaymentOutcome]) -> None:
    assert end_of(outcomes, PurchaseStatus.REFUNDED) is PurchaseStatus.REFUNDED


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        (["failed"], "failed"),
        (["cancelled"], "cancelled"),
        (["failed", "cancelled"], "cancelled"),
        (["cancelled", "failed"], "cancelled"),
        (["succeeded", "failed"], "completed"),
        (["failed", "succeeded"], "completed"),
        (["cancelled", "succeeded"], "completed"),
    ],
)
def test_a_purchase_only_moves_forward(outcomes: list[str], status: str) -> None:
    assert end_of([PaymentOutcome(outcome) for outcome in outcomes]) == status


def purchase(**facts: object) -> Purchase:
    known: dict[str, object] = {
        "id": UUID(int=1),
        "user_id": UserId("anna"),
        "package_id": UUID(int=2),
        "package_name": "Starter",
        "credits": Credits(500),
        "price_euro_cents": EuroCents(499),
        "status": PurchaseStatus.PENDING,
        "redirects": None,
        "stripe_customer_id": None,
        "stripe_payment_intent_id": "pi_1",
        "stripe_checkout_session_id": None,
        "client_secret": None,
        "checkout_url": None,
        "metadata": None,
        "created_at": datetime(2026, 11, 21, tzinfo=UTC),
        "completed_at": None,
        "refunded_euro_cents": 0,
        "taken_back_credits": 0,
        "takeback_movements": 0,
    }
    return Purchase(**{**known, **facts})  # type: ignore[arg-type]


def payment(**facts: Any) -> PaymentFact:
    return payment_fact(**{"purchase_id": UUID(int=1), **facts})


def test_the_payment_a_purchase_waits_for_is_taken() -> None:
    check_payment(purchase(), payment(), livemode=False)
    check_payment(purchase(stripe_payment_intent_id=None), payment(), livemode=False)
    check_payment(purchase(), payment(payment_intent_id=None), livemode=False)


@pytest.mark.parametrize(
    ("facts", "named"),
    [
        ({"amount": 498}, "amount 498 instead of 499"),
        ({"amount": 0}, "amount 0 instead of 499"),
        ({"currency": "usd"}, "currency usd instead of eur"),
        ({"livemode": True}, "livemode True instead of False"),
        ({"payment_intent_id": "pi_2"}, "payment intent pi_2 instead of pi_1"),
    ],
    ids=str,
)
def test_any_other_payment_is_parked_and_says_why(facts: dict[str, object], named: str) -> None:
    with pytest.raises(Parked, match=named):
        check_payment(purchase(), payment(**facts), livemode=False)


# ---------------------------------------------------------------- keys


VISIBLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=8)
USERS = st.text(st.sampled_from("ab:%/3A \u00e4"), min_size=1, max_size=6)
ROUTES = st.sampled_from(["use", "internal/use", "purchase"])


def key(route: str, value: str) -> ClientKey:
    return ClientKey(route=route, value=value, request_hash=b"")


REQUESTS = st.tuples(ROUTES, USERS, VISIBLE)


@given(REQUESTS, REQUESTS)
def test_job_keys_are_the_same_only_for_the_same_user_route_and_key(
    first: tuple[str, str, str], second: tuple[str, str, str]
) -> None:
    keys = [key(route, value).job_key(UserId(user)) for route, user, value in (first, second)]

    assert (keys[0] == keys[1]) == (first == second)


@given(ROUTES, VISIBLE, ROUTES, VISIBLE)
def test_movement_keys_are_the_same_only_for_the_same_route_and_key(
    route: str, value: str, other_route: str, other_value: str
) -> None:
    same = key(route, value).movement_key == key(other_route, other_value).movement_key

    assert same == ((route, value) == (other_route, other_value))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=3), JSON_VALUES, max_size=5))
def test_the_order_of_members_does_not_change_a_fingerprint(metadata: dict[str, object]) -> None:
    turned = dict(reversed(list(metadata.items())))

    assert fingerprint(amount=1, metadata=metadata) == fingerprint(metadata=turned, amount=1)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {"a": "1"}),
        ({"a": None}, {}),
        ({"a": [1, 2]}, {"a": [2, 1]}),
        ({"a": "b", "c": "d"}, {"a": 'b","c":"d'}),
        ({"a": True}, {"a": 1}),
        ({"a": {}}, {"a": []}),
    ],
    ids=str,
)
def test_other_facts_have_another_fingerprint(one: dict[str, object], other: dict[str, object]) -> None:
    assert fingerprint(**one) != fingerprint(**other)


# ---------------------------------------------------------------- ids


def test_ids_are_version_7_and_carry_the_time() -> None:
    before = time.time_ns() // 1_000_000
    value = new_id()
    after = time.time_ns() // 1_000_000

    assert value.version == 7
    assert value.variant == uuid4().variant
    assert before <= value.int >> 80 <= after


def test_ids_made_in_different_milliseconds_are_in_order() -> None:
    ids = []
    for _ in range(5):
        ids.append(new_id())
        time.sleep(0.002)

    assert ids == sorted(ids)


def test_fifty_thousand_ids_are_all_different() -> None:
    assert len({new_id() for _ in range(50_000)}) == 50_000
