"""Guessing gift codes is slowed down."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import redis
from flask.testing import FlaskClient

from domain.store import Database
from local.valkey import Valkey
from settings import Settings
from tests.support.http import API, bearer, make_gift
from tests.support.issuer import Issuer
from web.app import create_app


def test_guesses_of_one_address_and_of_one_user_are_slowed_down_and_finders_are_not(
    client: FlaskClient, issuer: Issuer, anna: dict[str, str], ben: dict[str, str]
) -> None:
    gift, cleo = make_gift(client, anna), bearer(issuer, "cleo")
    for _ in range(50):
        assert client.get(f"{API}/gifts/{gift['code']}").status_code == 200
    misses = [client.get(f"{API}/gifts/ABC234").status_code for _ in range(40)]
    elsewhere = {"environ_base": {"REMOTE_ADDR": "198.51.100.7"}}

    refused = client.get(f"{API}/gifts/ABC234")
    theirs = [
        client.post(f"{API}/gifts/ABC234/redeem", headers=ben, environ_base={"REMOTE_ADDR": f"203.0.113.{number}"})
        for number in range(12)
    ]

    assert misses == [404] * 30 + [429] * 10
    assert refused.mimetype == "application/problem+json"
    assert 1 <= int(refused.headers["Retry-After"]) <= 61
    # Who has a long code has not guessed it, whoever else is behind the same address.
    assert client.get(f"{API}/gifts/{gift['code']}").status_code == 200
    assert client.post(f"{API}/gifts/{gift['code']}/redeem", headers=cleo).status_code == 202
    assert client.get(f"{API}/gifts/{gift['code'][::-1]}").status_code == 429
    assert client.get(f"{API}/gifts/ABC234", **elsewhere).status_code == 404
    assert [answer.status_code for answer in theirs] == [404] * 10 + [429] * 2


def test_the_addresses_of_one_ipv6_customer_are_one(client: FlaskClient, database: Database) -> None:
    statuses = [
        client.get(f"{API}/gifts/ABC234", environ_base={"REMOTE_ADDR": f"2001:db8:1:2::{number}"}).status_code
        for number in range(1, 32)
    ]

    assert statuses == [404] * 30 + [429]
    assert database is not None


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    with Valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


def test_processes_count_guesses_together_and_a_redis_that_refuses_writes_opens_nothing(
    settings: Settings, database: Database, valkey: Valkey
) -> None:
    server = redis.Redis.from_url(valkey.url())
    server.flushall()
    first = create_app(replace(settings, redis_url=valkey.url()))
    misses = [first.test_client().get(f"{API}/gifts/ABC234").status_code for _ in range(30)]
    second = create_app(replace(settings, redis_url=valkey.url()))
    elsewhere: Any = {"environ_base": {"REMOTE_ADDR": "198.51.100.7"}}

    together = second.test_client().get(f"{API}/gifts/ABC234").status_code
    server.config_set("maxmemory", "1")
    alone = [second.test_client().get(f"{API}/gifts/ABC234", **elsewhere).status_code for _ in range(31)]
    server.config_set("maxmemory", "0")

    assert misses == [404] * 30
    assert together == 429
    assert alone == [404] * 30 + [429]
    for app in (first, second):
        app.extensions["mana_credits"].close()
    assert database is not None
