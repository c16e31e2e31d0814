"""Golden examples: what the clients of today send about gifts, grants, holds and prices, and what they read back.

Values that are new each time are compared by their form: see `tests.support.forms`.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient

from domain.store import Database
from tests.support.credits import give
from tests.support.forms import CODE, ID, LINK, TIME, insufficient_credits, transaction
from tests.support.issuer import Issuer
from tests.support.jobs import work

BASE = "/api/v1"
SERVICE = {"X-Service-Key": "service-key", "X-App-Id": "mana-auth"}


GIFT = {
    "id": ID,
    "code": CODE,
    "shortUrl": LINK,
    "url": LINK,
    "creatorId": "anna",
    "creatorName": "Anna",
    "totalCredits": 50,
    "redeemed": 0,
    "type": "simple",
    "status": "active",
    "targetEmail": None,
    "message": None,
    "expiresAt": TIME,
    "createdAt": TIME,
    "updatedAt": TIME,
}

Call = Callable[..., Any]


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def as_user(client: FlaskClient, issuer: Issuer) -> Call:
    def call(user_id: str, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        claims = {"anna": {"name": "Anna", "email": "anna@x.de"}, "ben": {"name": "Ben", "email": "friend@x.de"}}
        token = issuer.token(user_id, **claims[user_id])
        headers = {"Authorization": f"Bearer {token}"}
        answer = client.open(f"{BASE}{path}", method=method, json=body, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json

    return call


@pytest.fixture
def as_service(client: FlaskClient) -> Call:
    def call(method: str, path: str, body: Any = None, status: int = 200) -> Any:
        answer = client.open(f"{BASE}/internal{path}", method=method, json=body, headers=SERVICE)
        assert answer.status_code == status, answer.text
        return answer.json

    return call


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"totalCredits": 50}, GIFT),
        ({"credits": 50}, GIFT),
        ({"totalCredits": 50, "credits": 50, "type": "simple", "expirationDays": 30, "sourceAppId": "chat"}, GIFT),
        (
            {
                "credits": 50,
                "type": "personalized",
                "targetEmail": "Friend@X.de",
                "message": "Happy birthday!",
                "expirationDays": 365,
            },
            GIFT | {"type": "personalized", "targetEmail": "Friend@X.de", "message": "Happy birthday!"},
        ),
    ],
)
def test_creating_a_gift_in_both_dialects(database: Database, as_user: Call, body: Any, expected: Any) -> None:
    give(database, "anna", 100)

    assert as_user("anna", "POST", "/gifts", body, status=201) == expected
    assert as_user("anna", "GET", "/gifts/me/created") == [expected]


def test_a_gift_that_ends_at_a_time(database: Database, as_user: Call) -> None:
    give(database, "anna", 100)
    gift = as_user("anna", "POST", "/gifts", {"totalCredits": 5}, status=201)
    body = {"totalCredits": 50, "expiresAt": gift["expiresAt"]}

    assert as_user("anna", "POST", "/gifts", body, status=201) == GIFT | {"expiresAt": gift["expiresAt"]}


def test_looking_a_gift_up(database: Database, client: FlaskClient, as_user: Call) -> None:
    give(database, "anna", 100)
    gift = as_user("anna", "POST", "/gifts", {"totalCredits": 50, "message": "Hello"}, status=201)

    assert client.get(f"{BASE}/gifts/{gift['code'].lower()}").json == {
        "code": gift["code"],
        "type": "simple",
        "status": "active",
        "totalCredits": 50,
        "redeemed": False,
        "isPersonalized": False,
        "message": "Hello",
        "creatorName": "Anna",
        "expiresAt": gift["expiresAt"],
    }
    assert client.get(f"{BASE}/gifts/ABC234").json == {
        "type": "urn:mana-credits:problem:not_found",
        "title": "Not found",
        "status": 404,
        "detail": "Gift not found",
        "code": "not_found",
        "statusCode": 404,
        "message": "Gift not found",
    }


@pytest.mark.parametrize("body", [None, {}, {"sourceAppId": "chat"}])
def test_redeeming_a_gift(database: Database, as_user: Call, body: Any) -> None:
    give(database, "anna", 100)
    gift = as_user("anna", "POST", "/gifts", {"totalCredits": 50, "message": "Hello"}, status=201)

    accepted = as_user("ben", "POST", f"/gifts/{gift['code']}/redeem", body, status=202)
    work(database, UUID(accepted["jobId"]))

    assert accepted == {"jobId": ID, "status": "pending", "statusUrl": f"/api/v1/jobs/{accepted['jobId']}"}
    assert as_user("ben", "POST", f"/gifts/{gift['code']}/redeem", body) == {
        "success": True,
        "credits": 50,
        "creditsReceived": 50,
        "newBalance": 50,
        "message": "Hello",
        "creatorName": "Anna",
    }
    assert as_user("ben", "GET", "/gifts/me/received") == [
        {
            "id": ID,
            "giftCodeId": gift["id"],
            "code": gift["code"],
            "credits": 50,
            "creditsReceived": 50,
            "message": "Hello",
            "creatorName": "Anna",
            "status": "success",
            "sourceAppId": (body or {}).get("sourceAppId"),
            "createdAt": TIME,
            "redeemedAt": TIME,
        }
    ]


def test_cancelling_a_gift(database: Database, as_user: Call) -> None:
    give(database, "anna", 100)
    gift = as_user("anna", "POST", "/gifts", {"totalCredits": 50}, status=201)

    assert as_user("anna", "DELETE", f"/gifts/{gift['id']}") == {"success": True, "refundedCredits": 50}
    assert as_user("anna", "GET", "/gifts/me/created") == [GIFT | {"status": "cancelled"}]


def test_redeeming_what_waits_for_a_new_user(database: Database, as_user: Call, as_service: Call) -> None:
    give(database, "anna", 100)
    gift = {"totalCredits": 50, "type": "personalized", "targetEmail": "Friend@X.de"}
    as_user("anna", "POST", "/gifts", gift, status=201)

    accepted = as_service("POST", "/gifts/redeem-pending", {"userId": "ben", "email": "friend@x.de"}, status=202)
    work(database, UUID(accepted["jobId"]))

    job = as_user("ben", "GET", f"/jobs/{accepted['jobId']}")
    assert job == {
        "jobId": accepted["jobId"],
        "kind": "redeem-pending",
        "status": "done",
        "result": {"redeemed": 1, "totalCredits": 50},
        "problem": None,
        "attempts": 0,
        "createdAt": TIME,
        "finishedAt": TIME,
    }


def test_granting(as_service: Call) -> None:
    body = {"userId": "anna", "amount": 25, "reason": "signup_bonus", "referenceId": "signup-1"}

    first = as_service("POST", "/credits/grant", body)
    again = as_service("POST", "/credits/grant", body)

    assert first == {"ok": True, "alreadyGranted": False, "newBalance": 25, "transactionId": ID}
    assert again == first | {"alreadyGranted": True}


def test_reserving_committing_and_giving_up(database: Database, as_service: Call) -> None:
    give(database, "anna", 100)

    first = as_service("POST", "/credits/reserve", {"userId": "anna", "amount": 30, "reason": "Research"})
    second = as_service("POST", "/credits/reserve", {"userId": "anna", "amount": 20, "reason": "Research"})
    commit = {"reservationId": first["reservationId"], "description": "Research, quick", "amount": 10}
    committed = as_service("POST", "/credits/commit", commit)
    given_up = as_service("POST", "/credits/refund-reservation", {"reservationId": second["reservationId"]})

    assert first == {"reservationId": ID, "balance": 70}
    assert second == {"reservationId": ID, "balance": 50}
    assert committed == {"success": True, "transactionId": ID}
    assert given_up == {"success": True, "balance": 90}
    assert as_service(
        "POST", "/credits/reserve", {"userId": "anna", "amount": 91, "reason": "x"}, status=402
    ) == insufficient_credits(required=91, available=90)


def test_the_price_list(as_user: Call) -> None:
    operations = as_user("anna", "GET", "/credits/operations")

    assert len(operations) == 22
    assert operations[0] == {
        "operation": "ai_chat_gpt4",
        "category": "ai",
        "app": "chat",
        "credits": 5,
        "unit": "request",
    }
    assert operations[-1] == {
        "operation": "cloud_sync",
        "category": "premium",
        "app": "sync",
        "credits": 30,
        "unit": "month",
    }


def test_using_an_operation(database: Database, as_user: Call) -> None:
    give(database, "anna", 100)
    body = {"operation": "ai_deck_generation", "quantity": 2, "appId": "decks", "description": "Two decks"}

    answer = as_user("anna", "POST", "/credits/use", body)

    assert answer == {
        "success": True,
        "transaction": transaction(
            type="usage",
            amount=-40,
            balanceBefore=100,
            balanceAfter=60,
            appId="decks",
            description="Two decks",
            metadata={"operation": "ai_deck_generation", "quantity": 2},
        ),
        "newBalance": {"balance": 60, "totalEarned": 100, "totalSpent": 40},
    }


def test_usage_by_app_and_by_day_for_the_user_and_for_services(
    database: Database, as_user: Call, as_service: Call
) -> None:
    give(database, "anna", 100)
    use = {"amount": 7, "appId": "chat", "description": "A question"}
    today = as_user("anna", "POST", "/credits/use", use)["transaction"]["createdAt"][:10]
    as_user("anna", "POST", "/credits/use", use | {"appId": "picture", "amount": 3})

    by_app = as_user("anna", "GET", f"/credits/usage?from={today}&groupBy=app")
    by_day = as_service("GET", "/credits/usage/anna?groupBy=day")

    assert by_app == {
        "from": today,
        "to": by_app["to"],
        "groupBy": "app",
        "totalCredits": 10,
        "totalUses": 2,
        "items": [
            {"appId": "chat", "day": None, "credits": 7, "uses": 1},
            {"appId": "picture", "day": None, "credits": 3, "uses": 1},
        ],
    }
    assert by_day["items"] == [{"appId": None, "day": today, "credits": 10, "uses": 2}]
