"""A database that falls silent, and one that takes no writes for a while: what clients see, and that it passes."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
import pytest
from flask import Flask
from werkzeug.test import TestResponse

from domain.store import Database
from settings import Settings
from tests.support.credits import give
from tests.support.http import Api, Caller, problem_of
from tests.support.issuer import Issuer
from tests.support.plain_sql import rows
from tests.support.proxy import SilentProxy, silent_proxy
from web.app import create_app

STATEMENT_S = 5.0
"""`statement_timeout` of web."""

SLACK_S = 5.0
"""What a request may take beyond it: two seconds for the margin, and the rest for turns and for a new connection."""

READY_S = 3.0
SPEND = {"amount": 1, "appId": "chat", "description": "A question"}


@pytest.fixture
def proxy(database_url: str) -> Iterator[SilentProxy]:
    with silent_proxy(database_url) as running:
        yield running


@pytest.fixture
def proxied(settings: Settings, database: Database, proxy: SilentProxy) -> Iterator[Flask]:
    """The web application, with a proxy between it and its database."""
    give(database, "anna", 1_000)
    give(database, "ben", 1_000)
    application = create_app(replace(settings, database_url=proxy.before(settings.database_url)))
    yield application
    application.extensions["mana_credits"].close()


def timed(caller: Caller, method: str, path: str) -> tuple[TestResponse, float]:
    began = time.monotonic()
    answer = caller.call(method, path)
    return answer, time.monotonic() - began


def use(caller: Caller, key: str | None = None) -> TestResponse:
    headers = {"Idempotency_Key": key} if key else {}
    return caller.post("/credits/use", SPEND, **headers)


def becomes_well(caller: Caller, *, within_s: float) -> None:
    """Ask until everything is answered again."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if use(caller).status_code == 200 and caller.get("/credits/balance").status_code == 200:
            return
        time.sleep(0.1)
    pytest.fail("requests are not served again")


def test_requests_in_flight_and_new_ones_end_when_the_database_falls_silent(
    proxied: Flask, issuer: Issuer, proxy: SilentProxy, database_url: str
) -> None:
    api = Api(proxied, issuer)
    anna, ben, outside = api.user("anna"), api.user("ben"), api.outside()
    for caller in (anna, ben):  # connections in the pool, and tokens' keys at hand
        assert use(caller).status_code == 200
        assert caller.get("/credits/balance").status_code == 200

    with ThreadPoolExecutor(16) as threads, psycopg.connect(database_url) as locker:
        locker.execute("SELECT FROM credits.balances WHERE user_id = 'ben' FOR UPDATE")
        in_flight = threads.submit(lambda: (time.monotonic(), use(ben, "k"), time.monotonic()))
        time.sleep(0.2)
        proxy.is_silent = True
        reads = [threads.submit(timed, anna, "GET", "/credits/balance") for _ in range(3)]
        writes = [threads.submit(lambda: (time.monotonic(), use(anna), time.monotonic())) for _ in range(3)]
        questions = [threads.submit(timed, outside, "GET", "/ready") for _ in range(4)]
        for answer, took in (question.result() for question in questions):
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
            assert took < READY_S
        for answer, took in (read.result() for read in reads):
            problem_of(answer, 503)
            assert answer.headers["Retry-After"] == "1"
            assert took < STATEMENT_S + SLACK_S
        for began, answer, ended in (write.result() for write in [in_flight, *writes]):
            problem_of(answer, 503)
            assert ended - began < STATEMENT_S + SLACK_S

    proxy.is_silent = False
    becomes_well(anna, within_s=5)
    assert outside.get("/ready").status_code == 200
    assert use(ben, "k").status_code == 200
    uses = rows(database_url, "SELECT count(*) FROM credits.transactions WHERE user_id = 'ben' AND type = 'usage'")
    assert uses == [(2,)]


def test_a_silence_that_nobody_saw_costs_seconds_once(proxied: Flask, issuer: Issuer, proxy: SilentProxy) -> None:
    """Connections that a firewall forgot while they were idle are all replaced when the first is found."""
    api = Api(proxied, issuer)
    anna = api.user("anna")
    parts = proxied.extensions["mana_credits"]
    meet = threading.Barrier(6)

    def hold(_: int) -> None:
        with parts.database.single():
            meet.wait(10)

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(hold, range(6)))
    forgotten = proxy.forget()

    answer, took = timed(anna, "GET", "/credits/balance")
    assert forgotten >= 6
    assert answer.status_code == 503
    assert took < STATEMENT_S + SLACK_S
    for _ in range(12):
        answer, took = timed(anna, "GET", "/credits/balance")
        assert answer.status_code == 200
        assert took < 1


def read_only(url: str, value: str, *, everywhere: bool) -> None:
    """Let the database take no writes, or take them again: for new sessions only, or for all."""
    name = url.rpartition("/")[2]
    with psycopg.connect(url, autocommit=True, options="-c default_transaction_read_only=off") as connection:
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = {value}")
        if everywhere:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


def test_a_database_that_takes_no_writes_is_read_and_is_written_as_soon_as_it_can_be(
    app: Flask, api: Api, database: Database, database_url: str
) -> None:
    give(database, "anna", 1_000)
    anna, outside = api.user("anna"), api.outside()
    assert use(anna).status_code == 200
    read_only(database_url, "on", everywhere=True)

    for _ in range(10):  # every connection is made anew, read-only
        problem = use(anna)
        problem_of(problem, 503, "database_unavailable")
        assert problem.headers["Retry-After"] == "1"
        assert anna.get("/credits/balance").status_code == 200
    not_ready = outside.get("/ready")
    assert (not_ready.status_code, not_ready.get_json()["postgresql"]) == (503, "unavailable")

    read_only(database_url, "off", everywhere=False)
    time.sleep(1.1)
    for _ in range(20):
        assert use(anna).status_code == 200
    assert outside.get("/ready").status_code == 200
    assert app is not None
