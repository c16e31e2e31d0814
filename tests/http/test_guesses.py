"""Guessing gift codes is slowed down."""

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
from tests.support.plain_sql import rows
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
    addresses = [f"2001:db8:1:{number:x}::{number:x}" for number in range(1, 32)]

    statuses = [
        client.get(f"{API}/gifts/ABC234", environ_base={"REMOTE_ADDR": address}).status_code for address in addresses
    ]

    assert statuses == [404] * 30 + [429]
    assert database is not None


@pytest.mark.parametrize(
    "way", ["203.0.113.2:{number}", "::ffff:203.0.113.2", "[::ffff:203.0.113.2]:{number}", "x{number}"]
)
def test_an_address_behind_a_proxy_is_one_however_it_is_written(
    settings: Settings, database: Database, way: str
) -> None:
    app = create_app(replace(settings, trusted_proxies=1))
    # What the client writes stands first; its open quote must not hide what the proxy appends.
    forwarded = [f'198.51.100.{number}, "q, {way.format(number=number)}' for number in range(1, 32)]
    others = {"X-Forwarded-For": "::ffff:203.0.113.3"}

    statuses = [
        app.test_client().get(f"{API}/gifts/ABC234", headers={"X-Forwarded-For": entries}).status_code
        for entries in forwarded
    ]

    assert statuses == [404] * 30 + [429]
    assert app.test_client().get(f"{API}/gifts/ABC234", headers=others).status_code == 404
    app.extensions["mana_credits"].close()
    assert database is not None


def test_the_first_tries_of_a_user_do_not_suffer_from_others_at_their_address(
    client: FlaskClient, issuer: Issuer, anna: dict[str, str], ben: dict[str, str], database_url: str
) -> None:
    gift, cleo = make_gift(client, anna), bearer(issuer, "cleo")
    rows(database_url, "ALTER TABLE gifts.gift_codes DISABLE TRIGGER USER")
    rows(database_url, f"UPDATE gifts.gift_codes SET code = 'ABC234' WHERE id = '{gift['id']}'")
    while client.get(f"{API}/gifts/XYZ234").status_code == 404:
        """An attacker at the same address uses up its misses."""

    anonymous = client.get(f"{API}/gifts/ABC234").status_code
    seen = client.get(f"{API}/gifts/ABC234", headers=ben).status_code
    typed_wrong = [client.post(f"{API}/gifts/ABC23{end}/redeem", headers=ben).status_code for end in "56"]
    redeemed = client.post(f"{API}/gifts/ABC234/redeem", headers=ben).status_code
    guesses = [client.get(f"{API}/gifts/XYZ23{end}", headers=cleo).status_code for end in "56789"]

    assert (anonymous, seen, typed_wrong, redeemed) == (429, 200, [404, 404], 202)
    # Whoever has missed three times answers for their address as well.
    assert guesses == [404, 404, 404, 429, 429]


def test_a_token_that_is_not_good_changes_nothing_at_the_open_door(client: FlaskClient, anna: dict[str, str]) -> None:
    gift = make_gift(client, anna)

    for token in ("Bearer x", "Bearer", "Basic YTpi"):
        assert client.get(f"{API}/gifts/{gift['code']}", headers={"Authorization": token}).status_code == 200


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
