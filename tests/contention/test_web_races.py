"""Many clients at one barrier, through the whole web application."""

import json
import threading
import time
from contextlib import ExitStack
from typing import Any, Final

import psycopg
import pytest
import stripe
from werkzeug.test import TestResponse

from domain.errors import Busy
from domain.store import Database
from domain.units import UserId
from tests.support.credits import give
from tests.support.http import JSON, Api, problem_of, written
from tests.support.purchases import offer
from tests.support.threads import at_once
from tests.support.users import ANNA
from web.http.turns import AT_ONCE, IN_LINE, PATIENT, SHORT_WAIT_S, WAIT_S, Turns
from web.http.waiting_room import WAITING_MAX

LOCK_TIMEOUT_S: Final = 2.0
USE: Final = {"amount": 1, "appId": "chat", "description": "A question"}


def answers(results: list[TestResponse | Exception]) -> list[TestResponse]:
    """Make sure that every call was answered."""
    assert [result for result in results if isinstance(result, Exception)] == []
    return [result for result in results if not isinstance(result, Exception)]


def without_message(answer: TestResponse) -> dict[str, Any]:
    told: dict[str, Any] = answer.get_json()
    return {name: value for name, value in told.items() if name != "message"}


# ---------------------------------------------------------------- one key, many calls


def test_fifty_parallel_uses_of_one_key_are_one_transaction_and_fifty_equal_answers(
    api: Api, database: Database
) -> None:
    give(database, "anna", 100)
    anna = api.user()

    found = answers(at_once(50, lambda _: anna.post("/credits/use", USE, Idempotency_Key="k")))

    assert {answer.status_code for answer in found} == {200}
    assert len({json.dumps(without_message(answer), sort_keys=True) for answer in found}) == 1
    assert sorted("message" in answer.get_json() for answer in found) == [False] + [True] * 49
    assert sum(answer.headers.get("Idempotency-Replayed") == "true" for answer in found) == 49
    assert written(database)["credits.transactions"] == 2


def test_forty_parallel_uses_of_the_last_credits_spend_them_once(api: Api, database: Database) -> None:
    give(database, "anna", 7)
    anna = api.user()

    found = answers(at_once(40, lambda _: anna.post("/credits/use", USE)))

    assert sorted(answer.status_code for answer in found) == [200] * 7 + [402] * 33
    assert anna.get("/credits/balance").get_json() == {"balance": 0, "totalEarned": 7, "totalSpent": 7}


def test_one_key_with_two_amounts_at_once_is_one_transaction(api: Api, database: Database) -> None:
    give(database, "anna", 100)
    anna = api.user()

    found = answers(at_once(20, lambda n: anna.post("/credits/use", USE | {"amount": 1 + n % 2}, Idempotency_Key="k")))

    assert sorted(answer.status_code for answer in found) == [200] * 10 + [422] * 10
    assert written(database)["credits.transactions"] == 2


def test_twenty_parallel_first_reads_of_a_new_user_are_twenty_answers(api: Api) -> None:
    anna = api.user()

    found = answers(at_once(20, lambda _: anna.get("/credits/balance")))

    assert [answer.status_code for answer in found] == [200] * 20
    assert {answer.get_data() for answer in found} == {b'{"balance":0,"totalEarned":0,"totalSpent":0}'}


def test_first_reads_uses_refunds_and_inits_of_a_new_user_at_once_are_all_answered(
    api: Api, database: Database
) -> None:
    anna, service = api.user(), api.service()
    refund = {"userId": "anna", "amount": 1, "description": "Sorry"}
    calls = [
        lambda: anna.get("/credits/balance"),
        lambda: service.post("/internal/credits/refund", refund, Idempotency_Key="k"),
        lambda: service.post("/internal/credits/init", {"userId": "anna"}),
        lambda: service.get("/internal/credits/balance/anna"),
    ]

    found = answers(at_once(32, lambda n: calls[n % 4]()))

    assert [answer.status_code for answer in found] == [200] * 32
    assert anna.get("/credits/balance").get_json()["balance"] == 1
    assert written(database)["credits.transactions"] == 1


def test_fifty_parallel_purchases_of_one_key_are_one_purchase_and_one_job(api: Api, database: Database) -> None:
    body = {"packageId": str(offer(database))}
    anna = api.user()

    found = answers(at_once(50, lambda _: anna.post("/credits/purchase", body, Idempotency_Key="k")))

    assert {answer.status_code for answer in found} == {202}
    assert len({answer.get_data() for answer in found}) == 1
    assert written(database) == {"credits.transactions": 0, "credits.purchases": 1, "jobs.jobs": 1}


def test_five_parallel_deliveries_of_one_event_are_one_job(api: Api, database: Database) -> None:
    body = json.dumps({"id": "evt_1", "type": "customer.created", "livemode": False, "data": {"object": {"id": "x"}}})
    signature = stripe.WebhookSignature.generate_signature_header(body, "whsec_1")

    def deliver(_: int) -> TestResponse:
        headers = {"Stripe-Signature": signature}
        return api.nobody().call("POST", "/webhooks/stripe", data=body, content_type=JSON, headers=headers)

    found = answers(at_once(5, deliver))

    assert [answer.get_json() for answer in found] == [{"received": True}] * 5
    assert written(database)["jobs.jobs"] == 1


# ---------------------------------------------------------------- one user must not be everyone's trouble


def test_one_users_locked_row_is_nobody_elses_wait(api: Api, database: Database, database_url: str) -> None:
    give(database, "anna", 100)
    give(database, "ben", 100)
    anna, ben = api.user("anna"), api.user("ben")
    assert ben.get("/credits/balance").status_code == 200
    found: list[TestResponse | Exception] = []
    waiting = threading.Thread(target=lambda: found.extend(at_once(10, lambda _: anna.post("/credits/use", USE))))

    with psycopg.connect(database_url) as locker:
        locker.execute("SELECT FROM credits.balances WHERE user_id = 'anna' FOR UPDATE")
        locked_at = time.monotonic()
        waiting.start()
        took = []
        while time.monotonic() - locked_at < 3:
            began = time.monotonic()
            answer = ben.post("/credits/use", USE)
            took.append(time.monotonic() - began)
            assert answer.status_code == 200
            time.sleep(0.1)
    waiting.join()

    assert len(took) >= 10
    assert max(took) < LOCK_TIMEOUT_S
    told = answers(found)
    for refusal in [answer for answer in told if answer.status_code != 200]:
        problem_of(refusal, 503, "busy")
        assert refusal.headers["Retry-After"] == "1"
    done = sum(answer.status_code == 200 for answer in told)
    assert anna.get("/credits/balance").get_json()["balance"] == 100 - done


def test_a_flood_of_one_user_is_bounded_and_the_others_are_served(
    api: Api, database: Database, database_url: str
) -> None:
    give(database, "anna", 1_000)
    anna, ben = api.user("anna"), api.user("ben")
    assert ben.get("/credits/balance").status_code == 200
    many = AT_ONCE + IN_LINE + 6
    found: list[TestResponse | Exception] = []
    flood = threading.Thread(target=lambda: found.extend(at_once(many, lambda _: anna.post("/credits/use", USE))))

    with psycopg.connect(database_url) as locker:
        locker.execute("SELECT FROM credits.balances WHERE user_id = 'anna' FOR UPDATE")
        flood.start()
        time.sleep(0.5)
        began = time.monotonic()
        status = ben.get("/credits/balance").status_code
        took = time.monotonic() - began
        locker.rollback()
    flood.join()

    assert (status, took < LOCK_TIMEOUT_S) == (200, True)
    told = answers(found)
    done = sum(answer.status_code == 200 for answer in told)
    assert {answer.status_code for answer in told} <= {200, 503}
    assert anna.get("/credits/balance").get_json()["balance"] == 1_000 - done


def test_no_more_threads_wait_for_jobs_than_may(api: Api, database: Database) -> None:
    body = {"packageId": str(offer(database))}
    users = [api.user(f"user-{number}") for number in range(WAITING_MAX + 8)]
    ended = []

    def buy(number: int) -> TestResponse:
        began = time.monotonic()
        answer = users[number].post("/credits/purchase", body, Prefer="wait=6")
        ended.append(time.monotonic() - began)
        return answer

    found = answers(at_once(len(users), buy))

    assert {answer.status_code for answer in found} == {202}
    assert sum(took > 5.9 for took in ended) <= WAITING_MAX
    assert sum(took < 5 for took in ended) >= 8


# ---------------------------------------------------------------- turns


def test_four_of_one_user_are_let_in_and_a_fifth_waits_for_one_to_leave() -> None:
    turns = Turns()
    entered = threading.Event()

    def fifth() -> None:
        with turns.of(ANNA):
            entered.set()

    with ExitStack() as inside:
        for _ in range(AT_ONCE - 1):
            inside.enter_context(turns.of(ANNA))
        with turns.of(ANNA):
            waiting = threading.Thread(target=fifth)
            waiting.start()
            assert not entered.wait(0.1)
        assert entered.wait(10)
        waiting.join()


def test_a_full_line_does_not_stop_another_user() -> None:
    turns = Turns()

    with ExitStack() as inside:
        for _ in range(AT_ONCE):
            inside.enter_context(turns.of(ANNA))
        began = time.monotonic()
        with turns.of(UserId("ben")):
            took = time.monotonic() - began

    assert took < WAIT_S


def test_who_gets_no_turn_in_time_is_told_to_try_again() -> None:
    turns = Turns()

    with ExitStack() as inside:
        for _ in range(AT_ONCE):
            inside.enter_context(turns.of(ANNA))
        began = time.monotonic()
        with pytest.raises(Busy), turns.of(ANNA):
            pass
        took = time.monotonic() - began

    assert WAIT_S <= took < 2 * WAIT_S


def test_the_line_has_an_end_and_only_its_first_are_let_wait_long() -> None:
    turns = Turns()
    refused_at = []

    def wait_in_line(_: int) -> None:
        began = time.monotonic()
        try:
            with turns.of(ANNA):
                pass
        except Busy:
            refused_at.append(time.monotonic() - began)

    with ExitStack() as inside:
        for _ in range(AT_ONCE):
            inside.enter_context(turns.of(ANNA))
        at_once(IN_LINE + 10, wait_in_line)

    assert len(refused_at) == IN_LINE + 10
    assert sum(took < SHORT_WAIT_S for took in refused_at) == 10
    assert sum(took >= WAIT_S for took in refused_at) == PATIENT


def test_nobody_leaves_a_line_that_moves_however_slowly() -> None:
    turns = Turns()
    pause_s = WAIT_S * AT_ONCE / 30  # thirty pass within everybody's patience, and none of them within the short one

    def act(_: int) -> None:
        with turns.of(ANNA):
            time.sleep(pause_s)

    assert pause_s < SHORT_WAIT_S < pause_s * (PATIENT + 1) / AT_ONCE
    assert at_once(20, act) == [None] * 20


def test_two_hundred_of_one_user_go_through_four_at_a_time() -> None:
    turns = Turns()
    lock = threading.Lock()
    inside = most = 0

    def act(number: int) -> None:
        nonlocal inside, most
        for _ in range(5):
            with turns.of(ANNA):
                with lock:
                    inside += 1
                    most = max(most, inside)
                time.sleep(0.001)
                with lock:
                    inside -= 1
        assert number >= 0

    results = at_once(40, act)

    assert results == [None] * 40
    assert most == AT_ONCE


def test_a_turn_is_given_back_when_its_block_fails() -> None:
    turns = Turns()

    for _ in range(AT_ONCE + 1):
        with pytest.raises(KeyError), turns.of(ANNA):
            raise KeyError

    with turns.of(ANNA):
        pass


def test_nobody_is_remembered_after_their_turn() -> None:
    turns = Turns()

    def act(number: int) -> None:
        with turns.of(UserId(f"user-{number % 3}")):
            time.sleep(0.001)

    at_once(30, act)

    assert turns._lines == {}  # noqa: SLF001 - what is remembered has no public face
