"""What is not Stripe's, or no event, is refused and leaves no trace."""

import json
import time
from collections.abc import Iterator

import pytest
from werkzeug.test import TestResponse

from domain.store import Database
from tests.support.http import JSON, Api, problem_of, signed, written
from tests.support.webhook import BODY, EVENT, deliver


@pytest.fixture
def database_url(shared_database_url: str) -> str:
    return shared_database_url


@pytest.fixture(autouse=True)
def nothing_is_written(database: Database) -> Iterator[None]:
    before = written(database)
    yield
    assert written(database) == before


def refused(answer: TestResponse) -> None:
    """Make sure that a delivery was refused as the contract says: a problem document that also has `error`."""
    problem = problem_of(answer, 400, "invalid_signature")
    assert problem["error"] == "Invalid webhook"


@pytest.mark.parametrize("age_s", [301, 302, 86_400, 10**9, -302, -86_400, -(10**9)])
def test_a_signature_older_or_further_ahead_than_five_minutes_is_refused(api: Api, age_s: int) -> None:
    answer = deliver(api, BODY, signed(BODY, age_s=age_s))

    refused(answer)


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        "t=",
        "v1=abc",
        "t=abc,v1=abc",
        "t=NOW",
        "t=NOW,v1=",
        "t=NOW,v0=GOOD",
        "t=NOW,v1=" + "0" * 64,
        "t=NOW,v1=\xe4\xf6",
        "t=NOW,v1=GOOD\xe4",
        "t=" + "9" * 400 + ",v1=GOOD",
        "t=" + "9" * 5_000 + ",v1=GOOD",
        "t=-1,v1=GOOD",
        "t=NOW.5,v1=GOOD",
        "t,v1",
        "=,=,=",
        ",,,,",
        "t=NOW,t,v1=GOOD",
        "v1=GOOD",
    ],
    ids=lambda signature: str(signature)[:30],
)
def test_a_missing_or_malformed_signature_is_refused(api: Api, signature: str | None) -> None:
    now, good = str(int(time.time())), signed(BODY, secret="whsec_other").rpartition("=")[2]
    header = signature.replace("NOW", now).replace("GOOD", good) if signature else signature

    answer = deliver(api, BODY, header)

    refused(answer)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_1 ", "whsec_3", "whsec_1,whsec_2", "service-key"])
def test_a_signature_of_another_secret_is_refused(api: Api, secret: str) -> None:
    refused(deliver(api, BODY, signed(BODY, secret=secret)))


def test_a_second_date_cannot_make_a_signature_dated_ahead_good(api: Api) -> None:
    ahead = signed(BODY, age_s=-86_400)

    answer = deliver(api, BODY, f"{ahead},t={int(time.time())}")

    refused(answer)


@pytest.mark.parametrize(
    "body", [BODY[:-1], BODY + " ", BODY.replace("499", "999"), "", BODY.replace("pi_1", "pi_\ufffd")]
)
def test_a_body_that_is_not_the_signed_one_is_refused(api: Api, body: str) -> None:
    answer = deliver(api, body.encode(), signed(BODY))

    refused(answer)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{}",
        "[]",
        "null",
        "not json",
        "[" * 20_000,
        json.dumps({**EVENT, "id": None}),
        json.dumps({**EVENT, "id": 5}),
        json.dumps({**EVENT, "id": ""}),
        json.dumps({**EVENT, "id": "e" * 5_000}),
        json.dumps({**EVENT, "id": "evt_\x00"}),
        json.dumps({**EVENT, "data": []}),
        json.dumps({**EVENT, "id": "evt_1"}).replace("evt_1", "evt_\\ud800"),
        json.dumps({**EVENT, "type": "charge.\x1b"}),
        json.dumps({**EVENT, "data": {"object": float("nan")}}),
        json.dumps({**EVENT, "data": {"object": float("inf")}}),
        json.dumps({**EVENT, "livemode": "false"}),
        json.dumps({name: value for name, value in EVENT.items() if name != "type"}),
        json.dumps({name: value for name, value in EVENT.items() if name != "livemode"}),
    ],
    ids=lambda body: body[:60],
)
def test_a_signed_body_that_is_no_event_is_refused(api: Api, body: str) -> None:
    answer = deliver(api, body, signed(body))

    refused(answer)


def test_a_body_that_is_no_text_is_refused(api: Api) -> None:
    refused(deliver(api, b"\xff\xfe", signed(BODY)))


def test_neither_a_token_nor_the_service_key_replaces_the_signature(api: Api) -> None:
    refused(api.user().call("POST", "/webhooks/stripe", data=BODY, content_type=JSON))
    refused(api.service().call("POST", "/webhooks/stripe", data=BODY, content_type=JSON))
