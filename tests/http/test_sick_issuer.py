"""An issuer of tokens that is sick costs nobody who is known anything, and never gives a 500."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from werkzeug.test import TestResponse

from settings import Settings
from tests.support.http import Api, problem_of
from tests.support.issuer import Issuer
from tests.support.sick_server import OK, Behaviour, SickServer, answers, body, drips, sick_server
from web.app import create_app
from web.http import jwks

BALANCE: Final = "/credits/balance"
SICK: Final[dict[str, bytes]] = {
    "nothing": b"",
    "not HTTP": b"\x00\r\n\r\n",
    "cut off": OK + b'Content-Length: 1000\r\n\r\n{"keys":[',
    "an error": b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\n{}",
    "no JSON": body(b"<html>"),
    "no object": body(b"[]"),
    "no keys": body(b'{"keys":[]}'),
    "null": body(b'{"keys":null}'),
    "a null": body(b'{"keys":[null]}'),
    "odd keys": body(b'{"keys":[1,"a",[],{},{"kty":[]},{"kty":"OKP","crv":"Ed25519","kid":["x"],"x":"AA"}]}'),
    "a malformed key": body(b'{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"key-1","x":5}]}'),
    "deep": body(b'{"keys":' + b"[" * 100_000),
    "a long number": body(b'{"keys":' + b"1" * 10_000 + b"}"),
    "bad text": body(b'{"keys":"\xff"}'),
    "huge": body(b" " * 2_000_000),
}


@pytest.fixture
def database_url(shared_database_url: str) -> str:
    return shared_database_url


@pytest.fixture
def issuer() -> Issuer:
    """What signs the tokens; the keys are published by the sick server."""
    signer = Issuer()
    signer.url = "http://127.0.0.1:1"
    signer.keys["key-2"] = Ed25519PrivateKey.generate()
    return signer


@pytest.fixture
def sick(issuer: Issuer) -> Iterator[SickServer]:
    """The issuer's server: it publishes `key-1` until a test changes its behaviour."""
    with sick_server(answers(body(published(issuer, "key-1")))) as server:
        issuer.url = server.url
        yield server


@pytest.fixture
def api(settings: Settings, issuer: Issuer, sick: SickServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """The application, whose pauses between two fetches are over at once."""
    monkeypatch.setattr(jwks, "UNKNOWN_PAUSE_S", 0)
    monkeypatch.setattr(jwks, "EMPTY_PAUSE_S", 0)
    app = create_app(replace(settings, auth_url=sick.url))
    yield Api(app, issuer)
    app.extensions["mana_credits"].close()


def published(issuer: Issuer, *key_ids: str, others: list[Any] | None = None) -> bytes:
    keys = [key for key in issuer.published()["keys"] if key["kid"] in key_ids]
    return json.dumps({"keys": [*(others or []), *keys]}).encode()


@pytest.mark.parametrize("content", SICK.values(), ids=SICK)
def test_a_sick_answer_never_costs_the_good_keys(api: Api, issuer: Issuer, sick: SickServer, content: bytes) -> None:
    assert api.user("anna").get(BALANCE).status_code == 200
    sick.behaviour = answers(content)

    for _ in range(2):
        problem_of(api.bearer(issuer.token("ben", key_id="key-2")).get(BALANCE), 401, "unauthorized")

    assert api.user("cleo").get(BALANCE).status_code == 200


@pytest.mark.parametrize("content", SICK.values(), ids=SICK)
def test_a_sick_answer_before_any_good_one_is_a_503(api: Api, sick: SickServer, content: bytes) -> None:
    sick.behaviour = answers(content)

    answer = api.user("anna").get(BALANCE)

    problem_of(answer, 503, "not_ready")
    assert answer.headers["Retry-After"] == "1"


def test_malformed_keys_do_not_cost_the_good_one_beside_them(api: Api, issuer: Issuer, sick: SickServer) -> None:
    bad: list[Any] = [None, 5, {"kty": "OKP", "crv": "Ed25519", "kid": "bad", "x": "A"}, {"kty": "RSA", "kid": "rsa"}]
    sick.behaviour = answers(body(published(issuer, "key-1", others=bad)))

    assert api.user("anna").get(BALANCE).status_code == 200


@pytest.mark.parametrize(
    "start", [b"HTTP/1.1 ", OK, OK + b"Content-Length: 9999\r\n\r\n{"], ids=["status", "head", "body"]
)
def test_known_users_never_wait_for_a_fetch_that_drips_and_few_others_do(
    api: Api, issuer: Issuer, sick: SickServer, monkeypatch: pytest.MonkeyPatch, start: bytes
) -> None:
    assert api.user("anna").get(BALANCE).status_code == 200
    monkeypatch.setattr(jwks, "FETCH_LIMIT_S", 60)
    begun = threading.Event()
    sick.behaviour = _signalling(drips(start), begun)
    strangers = [api.bearer(issuer.token(f"user-{number}", key_id="key-2")) for number in range(30)]

    with ThreadPoolExecutor(30) as threads:
        waiting = [threads.submit(stranger.get, BALANCE) for stranger in strangers]
        assert begun.wait(30)
        # The fetch goes on until the server is closed: whoever is answered now has not waited for it.
        known = [api.user(f"known-{number}").get(BALANCE).status_code for number in range(3)]
        turned_away = _wait_for_turned_away(waiting)
        assert not all(future.done() for future in waiting)
        connections = sick.connections
        sick.close()

    assert known == [200] * 3
    assert turned_away == 30 - jwks.WAITING_MAX
    assert connections == 2
    assert {future.result().status_code for future in waiting} <= {401, 503}


def test_a_fetch_that_drips_ends_with_the_limit_for_the_whole(
    api: Api, issuer: Issuer, sick: SickServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "FETCH_LIMIT_S", 0.4)
    sick.behaviour = drips(OK)
    problem_of(api.user("anna").get(BALANCE), 503, "not_ready")

    sick.behaviour = answers(body(published(issuer, "key-1")))
    monkeypatch.setattr(jwks, "FETCH_LIMIT_S", 30)

    # The first of these may still meet the old fetch at its end.
    assert 200 in [api.user("anna").get(BALANCE).status_code for _ in range(2)]


def _signalling(behaviour: Behaviour, begun: threading.Event) -> Behaviour:
    def behave(connection: Any, over: threading.Event) -> None:
        begun.set()
        behaviour(connection, over)

    return behave


def _wait_for_turned_away(waiting: list[Future[TestResponse]]) -> int:
    """Wait until only those are left that wait for the fetch, and count the others."""
    over = threading.Event()
    for _ in range(600):
        turned_away = sum(future.done() for future in waiting)
        if turned_away >= len(waiting) - jwks.WAITING_MAX:
            return turned_away
        over.wait(0.05)
    return -1
