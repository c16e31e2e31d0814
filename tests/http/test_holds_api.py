"""Holds, prices and usage over HTTP."""

from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.http import API

SERVICE = {"X-Service-Key": "service-key"}


def post(client: FlaskClient, path: str, body: Any, **headers: str) -> TestResponse:
    return client.post(f"{API}/internal{path}", json=body, headers=SERVICE | headers)


def test_holds_over_http(client: FlaskClient, anna: dict[str, str]) -> None:
    body = {"userId": "anna", "amount": 100, "reason": "Research", "expiresInSeconds": 60}
    key = {"Idempotency-Key": "k"}

    reserved = post(client, "/credits/reserve", body, **key)
    again = post(client, "/credits/reserve", body, **key)
    hold = {"reservationId": reserved.json["reservationId"]}  # type: ignore[index]
    too_much = post(client, "/credits/commit", hold | {"amount": 101})
    committed = post(client, "/credits/commit", hold | {"amount": 40}, **key)
    committed_again = post(client, "/credits/commit", hold | {"amount": 40}, **key)
    changed = post(client, "/credits/commit", hold | {"amount": 41}, **key)
    twice = post(client, "/credits/commit", hold)
    given_up = post(client, "/credits/refund-reservation", hold)

    assert reserved.json["balance"] == 900  # type: ignore[index]
    assert (again.data, again.headers["Idempotency-Replayed"]) == (reserved.data, "true")
    assert (too_much.status_code, too_much.json["code"]) == (400, "reservation_exceeded")  # type: ignore[index]
    assert (committed_again.data, committed_again.headers["Idempotency-Replayed"]) == (committed.data, "true")
    assert changed.status_code == 422
    assert (twice.status_code, twice.json["code"]) == (400, "reservation_ended")  # type: ignore[index]
    assert given_up.status_code == 400
    balance = client.get(f"{API}/credits/balance", headers=anna).json
    assert balance == {"balance": 960, "totalEarned": 1_000, "totalSpent": 40}
    unknown = {"reservationId": str(uuid4())}
    assert post(client, "/credits/commit", unknown).status_code == 404
    assert post(client, "/credits/commit", {"reservationId": "nonsense"}).status_code == 400


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"operation": "ai_research_deep"}, 200, None),
        ({"operation": "ai_card_generation", "quantity": 3, "amount": 6}, 200, None),
        ({"operation": "ai_card_generation", "quantity": 3, "amount": 5}, 400, "price_disagrees"),
        ({"operation": "cloud_sync"}, 400, "operation_not_usable"),
        ({"operation": "crud"}, 400, "unknown_operation"),
        ({"operation": "pdf_export", "quantity": 0}, 400, "validation_error"),
        ({"operation": "pdf_export", "quantity": True}, 400, "validation_error"),
        ({"amount": 5, "quantity": 2}, 400, "validation_error"),
        ({}, 400, "validation_error"),
    ],
)
def test_use_takes_an_operation_instead_of_an_amount(
    client: FlaskClient, anna: dict[str, str], body: Any, status: int, code: str | None
) -> None:
    use = {"appId": "chat", "description": "A question", **body}

    mine = client.post(f"{API}/credits/use", json=use, headers=anna)
    for_anna = post(client, "/credits/use", use | {"userId": "anna"})

    assert (mine.status_code, for_anna.status_code) == (status, status)
    if code is None:
        price = 25 if body["operation"] == "ai_research_deep" else 6
        assert mine.json["transaction"]["amount"] == -price  # type: ignore[index]
        assert for_anna.json["newBalance"]["balance"] == 1_000 - 2 * price  # type: ignore[index]
    else:
        assert mine.json["code"] == for_anna.json["code"] == code  # type: ignore[index]


@pytest.mark.parametrize(
    "query",
    [
        "from=2026-11-02&to=2026-11-01",
        "from=2026-11-01&to=2026-11-01",
        "from=2020-01-01&to=2026-11-01",
        "from=x",
        "to=0001-01-01",
        "to=0001-01-02",
        "from=9999-12-30&to=9999-12-31",
        "from=0001-01-01&to=0001-01-02",
        "to=9999-99-99",
        "groupBy=user",
    ],
)
def test_a_question_about_usage_that_cannot_be_meant_is_refused(
    client: FlaskClient, anna: dict[str, str], query: str
) -> None:
    assert client.get(f"{API}/credits/usage?{query}", headers=anna).status_code == 400
