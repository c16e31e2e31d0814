"""Golden examples: every way the API says no, with the headers that go with it."""

import json
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from domain.store import Database
from settings import Settings
from tests.support.credits import give
from tests.support.forms import SECONDS, problem, status_and_body
from tests.support.http import JSON, Api, Caller
from web.app import create_app

USE: dict[str, Any] = {"amount": 10, "appId": "chat", "description": "A question"}
NO_ID = "019aa5d0-0000-7000-8000-000000000000"
INVALID = ("validation_error", "Invalid request")
NOT_FOUND = ("not_found", "Not found")
UNAUTHORIZED = ("unauthorized", "Unauthorized")


@pytest.fixture
def callers(api: Api, anna: Caller, mana_auth: Caller) -> dict[str, Caller]:
    return {"anna": anna, "service": mana_auth, "nobody": api.nobody(), "stranger": api.bearer("no.token.here")}


REFUSED: list[tuple[str, str, str, Any, tuple[int, Any]]] = [
    (
        "anna", "POST", "/credits/use", USE | {"amount": 0},
        problem(400, *INVALID, "The body is not valid",
                errors=[{"field": "amount", "message": "Input should be greater than or equal to 1"}]),
    ),
    (
        "anna", "POST", "/credits/use", {"amount": 1_000_001, "appId": "", "description": "x" * 501, "tip": 1},
        problem(400, *INVALID, "The body is not valid", errors=[
            {"field": "amount", "message": "Input should be less than or equal to 1000000"},
            {"field": "appId", "message": "String should have at least 1 character"},
            {"field": "description", "message": "String should have at most 500 characters"},
            {"field": "tip", "message": "Extra inputs are not permitted"},
        ]),
    ),
    (
        "anna", "POST", "/credits/purchase", {"packageId": "7"},
        problem(400, *INVALID, "The body is not valid",
                errors=[{"field": "packageId", "message": "Input should be a valid UUID, invalid length: found 1"}]),
    ),
    (
        "anna", "GET", "/credits/transactions?limit=101", None,
        problem(400, *INVALID, "The query is not valid",
                errors=[{"field": "limit", "message": "Input should be less than or equal to 100"}]),
    ),
    (
        "anna", "GET", "/credits/purchases?cursor=7", None,
        problem(400, *INVALID, "The query is not valid",
                errors=[{"field": "cursor", "message": "is not a cursor of this list"}]),
    ),
    (
        "anna", "POST", "/credits/use", USE | {"amount": None, "operation": "cloud_sync"},
        problem(400, "operation_not_usable", "Not charged by use",
                "This operation is charged by its subscription, not by use"),
    ),
    (
        "anna", "POST", "/credits/use", USE | {"operation": "ai_chat_gpt4"},
        problem(400, "price_disagrees", "Wrong price", "The amount is not the price of this operation",
                details={"amount": 10, "price": 5}),
    ),
    ("nobody", "GET", "/credits/balance", None, problem(401, *UNAUTHORIZED, "A bearer token is needed")),
    ("stranger", "GET", "/credits/balance", None, problem(401, *UNAUTHORIZED, "The token is not valid")),
    (
        "nobody", "GET", "/internal/credits/balance/anna", None,
        problem(401, *UNAUTHORIZED, "A valid X-Service-Key is needed"),
    ),
    (
        "anna", "POST", "/credits/use", USE,
        problem(402, "insufficient_credits", "Insufficient credits", "Insufficient credits",
                details={"required": 10, "available": 0}),
    ),
    ("anna", "GET", "/admin/jobs", None, problem(403, "forbidden", "Forbidden", "Only for administrators")),
    ("anna", "GET", f"/credits/purchase/{NO_ID}", None, problem(404, *NOT_FOUND, "Purchase not found")),
    ("anna", "GET", f"/jobs/{NO_ID}", None, problem(404, *NOT_FOUND, "Job not found")),
    ("anna", "DELETE", f"/gifts/{NO_ID}", None, problem(404, *NOT_FOUND, "Gift not found")),
    (
        "anna", "GET", "/jobs/7", None,
        problem(404, *NOT_FOUND, "The requested URL was not found on the server. If you entered the URL manually"
                " please check your spelling and try again."),
    ),
    (
        "anna", "POST", "/credits/use", USE | {"description": "x" * 65_536},
        problem(413, "body_too_large", "Body too large", "The data value transmitted exceeds the capacity limit."),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("who", "method", "path", "body", "expected"), REFUSED)
def test_a_refusal(
    callers: dict[str, Caller], *, who: str, method: str, path: str, body: Any, expected: tuple[int, Any]
) -> None:
    data = None if body is None else json.dumps(body)

    answer = callers[who].call(method, path, data=data, content_type=JSON if data else None)

    assert status_and_body(answer) == expected
    assert answer.headers.get("WWW-Authenticate") == ("Bearer" if answer.status_code == 401 else None)


def test_a_body_that_is_not_json(anna: Caller) -> None:
    broken = anna.call("POST", "/credits/use", data="{", content_type=JSON)
    undeclared = anna.call("POST", "/credits/use", data=json.dumps(USE), content_type="text/plain")

    assert status_and_body(broken) == problem(400, *INVALID, "The body is not valid JSON")
    assert status_and_body(undeclared) == problem(
        415,
        "unsupported_media_type",
        "Unsupported media type",
        "The body must be application/json in UTF-8, not compressed",
    )


def test_a_method_that_is_not_there(anna: Caller) -> None:
    answer = anna.get("/credits/use")

    expected = problem(
        405, "method_not_allowed", "Method not allowed", "The method is not allowed for the requested URL."
    )
    assert status_and_body(answer) == expected
    assert answer.headers["Allow"] == "OPTIONS, POST"


def test_a_key_that_came_with_another_request(database: Database, anna: Caller) -> None:
    give(database, "anna", 100)
    anna.post("/credits/use", USE, Idempotency_Key="k-1")

    answer = anna.post("/credits/use", USE | {"amount": 11}, Idempotency_Key="k-1")

    detail = "This idempotency key was used for a different request"
    assert status_and_body(answer) == problem(422, "idempotency_key_reused", "Idempotency key reused", detail)


@pytest.mark.parametrize("key", ["", "two words", "x" * 256])
def test_a_key_that_is_none(anna: Caller, key: str) -> None:
    answer = anna.post("/credits/use", USE, Idempotency_Key=key)

    assert status_and_body(answer) == problem(400, *INVALID, "An Idempotency-Key is 1 to 255 visible ASCII characters")


def test_two_keys_that_differ(anna: Caller) -> None:
    answer = anna.post("/credits/use", USE | {"idempotencyKey": "k-1"}, Idempotency_Key="k-2")

    assert status_and_body(answer) == problem(400, *INVALID, "Idempotency-Key and idempotencyKey differ")


def test_too_many_guesses(api: Api) -> None:
    answers = [api.nobody().get("/gifts/ABC234") for _ in range(31)]

    expected = problem(429, "too_many_requests", "Too many requests", "Too many attempts; try again later")
    assert status_and_body(answers[29]) == problem(404, *NOT_FOUND, "Gift not found")
    assert status_and_body(answers[30]) == expected
    assert answers[30].headers["Retry-After"] == SECONDS


def test_a_database_that_is_away(settings: Settings) -> None:
    app = create_app(replace(settings, database_url="postgresql://mana@127.0.0.1:1/mana"))

    answer = Caller(app, {"X-Service-Key": "service-key"}).get("/internal/credits/balance/anna")
    ready = Caller(app, {}, base="").get("/ready")

    detail = "The database is away; try again"
    assert status_and_body(answer) == problem(503, "database_unavailable", "Service unavailable", detail)
    assert answer.headers["Retry-After"] == "1"
    assert (ready.status_code, ready.headers["Retry-After"], ready.get_json()) == (
        503,
        "1",
        {"status": "unavailable", "postgresql": "unavailable", "redis": "unavailable"},
    )


def test_an_account_that_is_busy(database: Database, database_url: str, anna: Caller) -> None:
    give(database, "anna", 100)

    with psycopg.connect(database_url) as other:
        other.execute("SELECT FROM credits.balances WHERE user_id = 'anna' FOR UPDATE")
        answer = anna.post("/credits/use", USE)

    detail = "Too much is happening to this account at once; try again"
    assert status_and_body(answer) == problem(503, "busy", "Busy", detail)
    assert answer.headers["Retry-After"] == "1"
