"""Many clients at one barrier, through the whole web application."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, Final

import psycopg
import pytest
import stripe
from werkzeug.test import TestResponse

from domain.errors import Busy
from domain.rules.jobs import Job
from domain.store import Database
from domain.units import UserId
from tests.support.credits import give
from tests.support.http import JSON, Api, problem_of, without_message, written
from tests.support.plain_sql import rows
from tests.support.purchases import offer
from tests.support.service import PATIENCE_S, eventually
from tests.support.threads import at_once
from tests.support.users import ANNA
from web.http import turns as turns_module
from web.http.turns import AT_ONCE, IN_LINE, PATIENT, SHORT_WAIT_S, WAIT_S, Turns
from web.http.waiting_room import WAITING_MAX, WaitingRoom

USE: Final = {"amount": 1, "appId": "chat", "description": "A question"}


def answers(results: list[TestResponse | Exception]) -> list[TestResponse]:
    """Make sure that every call was answered."""
    assert [result for result in results if isinstance(result, Exception)] == []
    return [result for result in results if not isinstance(result, Exception)]


# ---------------------------------------------------------------- one key, many calls


def test_fifty_parallel_uses_of_one_key_are_one_transaction_and_fifty_equal_answers(
    api: Api, database: Database
) -> None:
    give(database, "anna", 100)
    anna = api.user()

    replies = answers(at_once(50, lambda _: anna.post("/credits/use", USE, Idempotency_Key="k")))

    assert {answer.status_code for answer in replies} == {200}
    assert len({json.dumps(without_message(answer), sort_keys=True) for answer in replies}) == 1
    assert sorted("message" in answer.get_json() for answer in replies) == [False] + [True] * 49
    assert sum(answer.headers.get("Idempotency-Replayed") == "true" for answer in replies) == 49
    assert written(database)["credits.transactions"] == 2


def test_forty_parallel_uses_of_the_last_credits_spend_them_once(api: Api, database: Database) -> None:
    give(database, "anna", 7)
    anna = api.user()

    replies = answers(at_once(40, lambda _: anna.post("/credits/use", USE)))

    assert sorted(answer.status_code for answer in replies) == [200] * 7 + [402] * 33
    assert anna.get("/credits/balance").get_json() == {"balance": 0, "totalEarned": 7, "totalSpent": 7}


def test_one_key_with_two_amounts_at_once_is_one_transaction(api: Api, database: Database) -> None:
    give(database, "anna", 100)
    anna = api.user()

    replies = answers(
        at_once(20, lambda n: anna.post("/credits/use", USE | {"amount": 1 + n % 2}, Idempotency_Key="k"))
    )

    assert sorted(answer.status_code for answer in replies) == [200] * 10 + [422] * 10
    assert written(database)["credits.transactions"] == 2


def test_twenty_parallel_first_reads_of_a_new_user_are_twenty_answers(api: Api) -> None:
    anna = api.user()

    replies = answers(at_once(20, lambda _: anna.get("/credits/balance")))

    assert [answer.status_code for answer in replies] == [200] * 20
    assert {answer.get_data() for answer in replies} == {b'{"balance":0,"totalEarned":0,"totalSpent":0}'}


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

    replies = answers(at_once(32, lambda n: calls[n % 4]()))

    assert [answer.status_code for answer in replies] == [200] * 32
    assert anna.get("/credits/balance").get_json()["balance"] == 1
    assert written(database)["credits.transactions"] == 1


def test_fifty_parallel_purchases_of_one_key_are_one_purchase_and_one_job(api: Api, database: Database) -> None:
    body = {"packageId": str(offer(database))}
    anna = api.user()

    replies = answers(at_once(50, lambda _: anna.post("/credits/purchase", body, Idempotency_Key="k")))

    assert {answer.status_code for answer in replies} == {202}
    assert len({answer.get_data() for answer in replies}) == 1
    assert written(database) == {"credits.transactions": 0, "credits.purchases": 1, "jobs.jobs": 1}


def test_five_parallel_deliveries_of_one_event_are_one_job(api: Api, database: Database) -> None:
    body = json.dumps({"id": "evt_1", "type": "customer.created", "livemode": False, "data": {"object": {"id": "x"}}})
    signature = stripe.WebhookSignature.generate_signature_header(body, "whsec_1")

    def deliver(_: int) -> TestResponse:
        headers = {"Stripe-Signature": signature}
        return api.nobody().call("POST", "/webhooks/stripe", data=body, content_type=JSON, headers=headers)

    replies = answers(at_once(5, deliver))

    assert [answer.get_json() for answer in replies] == [{"received": True}] * 5
    assert written(database)["jobs.jobs"] == 1


# ---------------------------------------------------------------- one user must not be everyone's trouble


def lock_waits(database_url: str) -> set[tuple[Any, ...]]:
    """Find the statements that wait for a lock: who is served while one of them waits has not waited for it."""
    return set(
        rows(
            database_url,
            "SELECT pid, query_start FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND datname = current_database()",
        )
    )


def test_one_users_locked_row_is_nobody_elses_wait(api: Api, database: Database, database_url: str) -> None:
    give(database, "anna", 100)
    give(database, "ben", 100)
    anna, ben = api.user("anna"), api.user("ben")
    assert ben.get("/credits/balance").status_code == 200
    results: list[TestResponse | Exception] = []
    waiting = threading.Thread(target=lambda: results.extend(at_once(10, lambda _: anna.post("/credits/use", USE))))

    with psycopg.connect(database_url) as locker:
        locker.execute("SELECT FROM credits.balances WHERE user_id = 'anna' FOR UPDATE")
        waiting.start()
        eventually(lambda: lock_waits(database_url))
        served_meanwhile = 0
        for _ in range(10):
            before = lock_waits(database_url)
            assert ben.post("/credits/use", USE).status_code == 200
            served_meanwhile += bool(before & lock_waits(database_url))
    waiting.join()

    assert served_meanwhile > 0
    replies = answers(results)
    for refusal in [answer for answer in replies if answer.status_code != 200]:
        problem_of(refusal, 503, "busy")
        assert refusal.headers["Retry-After"] == "1"
    done = sum(answer.status_code == 200 for answer in replies)
    assert anna.get("/credits/balance").get_json()["balance"] == 100 - done


def test_a_flood_of_one_user_is_bounded_and_the_others_are_served(
    api: Api, database: Database, database_url: str
) -> None:
    give(database, "anna", 1_000)
    anna, ben = api.user("anna"), api.user("ben")
    assert ben.get("/credits/balance").status_code == 200
    many = AT_ONCE + IN_LINE + 6
    results: list[TestResponse | Exception] = []
    flood = threading.Thread(target=lambda: results.extend(at_once(many, lambda _: anna.post("/credits/use", USE))))

    def served_during_one_wait() -> bool:
        waiting = lock_waits(database_url)
        assert ben.get("/credits/balance").status_code == 200
        return bool(waiting & lock_waits(database_url))

    with psycopg.connect(database_url) as locker:
        locker.execute("SELECT FROM credits.balances WHERE user_id = 'anna' FOR UPDATE")
        flood.start()
        eventually(served_during_one_wait)
        locker.rollback()
    flood.join()

    replies = answers(results)
    done = sum(answer.status_code == 200 for answer in replies)
    assert {answer.status_code for answer in replies} <= {200, 503}
    assert anna.get("/credits/balance").get_json()["balance"] == 1_000 - done


def test_no_more_threads_wait_for_jobs_than_may(api: Api, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    body = {"packageId": str(offer(database))}
    users = [api.user(f"user-{number}") for number in range(WAITING_MAX + 8)]
    answered: list[TestResponse] = []
    watching, may_end = threading.Semaphore(0), threading.Event()

    def watch(_room: WaitingRoom, job: Job, _until: float) -> Job:
        watching.release()
        assert may_end.wait(PATIENCE_S)
        return job

    def buy(number: int) -> TestResponse:
        answered.append(users[number].post("/credits/purchase", body, Prefer="wait=6"))
        return answered[-1]

    monkeypatch.setattr(WaitingRoom, "_watch", watch)
    with ThreadPoolExecutor(1) as pool:
        buying = pool.submit(at_once, len(users), buy)
        for _ in range(WAITING_MAX):
            assert watching.acquire(timeout=PATIENCE_S)
        eventually(lambda: len(answered) == 8)  # those for whom there was no place
        may_end.set()
        replies = answers(buying.result())

    assert {answer.status_code for answer in replies} == {202}
    assert not watching.acquire(blocking=False)


# ---------------------------------------------------------------- turns


def test_two_requests_of_one_user_are_let_in_and_a_third_waits_for_one_to_leave() -> None:
    turns = Turns()
    entered = threading.Event()

    def third() -> None:
        with turns.take(ANNA):
            entered.set()

    with ExitStack() as inside:
        for _ in range(AT_ONCE - 1):
            inside.enter_context(turns.take(ANNA))
        with turns.take(ANNA):
            waiting = threading.Thread(target=third)
            waiting.start()
            assert not entered.wait(0.1)
        assert entered.wait(PATIENCE_S)
        waiting.join()


def test_a_full_line_does_not_stop_another_user() -> None:
    turns = Turns()

    with ExitStack() as inside:
        for _ in range(AT_ONCE):
            inside.enter_context(turns.take(ANNA))
        with turns.take(UserId("ben")):  # no place becomes free: whoever had to wait would be refused
            pass


def test_who_gets_no_turn_in_time_is_told_to_try_again() -> None:
    turns = Turns()

    with ExitStack() as inside:
        for _ in range(AT_ONCE):
            inside.enter_context(turns.take(ANNA))
        began = time.monotonic()
        with pytest.raises(Busy), turns.take(ANNA):
            pass
        took = time.monotonic() - began

    assert took >= WAIT_S


def test_the_line_has_an_end_and_only_its_first_are_let_wait_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns_module, "WAIT_S", 8.0)  # so much longer than the short wait that no machine mixes them up
    turns = Turns()
    full, waited_s = [], []

    def wait_in_line(_: int) -> None:
        began = time.monotonic()
        try:
            with turns.take(ANNA):
                pass
        except Busy as refusal:
            if "too many requests" in str(refusal):
                full.append(refusal)
            else:
                waited_s.append(time.monotonic() - began)

    with ExitStack() as inside:
        for _ in range(AT_ONCE):
            inside.enter_context(turns.take(ANNA))
        at_once(IN_LINE + 10, wait_in_line)

    assert len(full) == 10
    assert len(waited_s) == IN_LINE
    assert sum(took >= 8.0 for took in waited_s) == PATIENT


def test_nobody_leaves_a_line_that_moves_however_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    wait_s, short_wait_s = WAIT_S * 5, SHORT_WAIT_S * 5  # a busy machine sleeps longer than it was told
    monkeypatch.setattr(turns_module, "WAIT_S", wait_s)
    monkeypatch.setattr(turns_module, "SHORT_WAIT_S", short_wait_s)
    turns = Turns()
    pause_s = wait_s * AT_ONCE / 30  # thirty pass within everybody's patience, and none of them within the short one

    def act(_: int) -> None:
        with turns.take(ANNA):
            time.sleep(pause_s)

    assert pause_s < short_wait_s < pause_s * (PATIENT + 1) / AT_ONCE
    assert at_once(20, act) == [None] * 20


def test_two_hundred_requests_of_one_user_go_through_two_at_a_time() -> None:
    turns = Turns()
    lock = threading.Lock()
    inside = most = 0

    def act(number: int) -> None:
        nonlocal inside, most
        for _ in range(5):
            with turns.take(ANNA):
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
        with pytest.raises(KeyError), turns.take(ANNA):
            raise KeyError

    with turns.take(ANNA):
        pass


def test_nobody_is_remembered_after_their_turn() -> None:
    turns = Turns()

    def act(number: int) -> None:
        with turns.take(UserId(f"user-{number % 3}")):
            time.sleep(0.001)

    at_once(30, act)

    assert turns._lines == {}  # noqa: SLF001 - what is remembered has no public face
