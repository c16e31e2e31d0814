"""Gifts, grants, holds, prices and usage over HTTP."""

from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from domain.store import Database
from settings import Settings
from tests.support.http import API, bearer, make_gift
from tests.support.issuer import Issuer
from tests.support.jobs import work
from web.app import create_app


def redeem(client: FlaskClient, who: dict[str, str], code: str) -> TestResponse:
    return client.post(f"{API}/gifts/{code}/redeem", headers=who)


def test_a_repeated_key_brings_the_first_answers_byte_for_byte(
    client: FlaskClient, database: Database, anna: dict[str, str], ben: dict[str, str]
) -> None:
    keyed = anna | {"Idempotency-Key": "k"}
    first = client.post(f"{API}/gifts", json={"totalCredits": 10}, headers=keyed)
    queued = redeem(client, ben, first.json["code"])  # type: ignore[index]
    work(database, UUID(queued.json["jobId"]))  # type: ignore[index]
    other = make_gift(client, anna)
    cancelled = client.delete(f"{API}/gifts/{other['id']}", headers=keyed)

    again = client.post(f"{API}/gifts", json={"totalCredits": 10}, headers=keyed)
    again_cancelled = client.delete(f"{API}/gifts/{other['id']}", headers=keyed)
    redeemed = redeem(client, ben, first.json["code"])  # type: ignore[index]
    redeemed_again = redeem(client, ben, first.json["code"])  # type: ignore[index]

    assert (again.status_code, again.data, again.headers["Idempotency-Replayed"]) == (201, first.data, "true")
    assert (again_cancelled.data, again_cancelled.headers["Idempotency-Replayed"]) == (cancelled.data, "true")
    assert "Idempotency-Replayed" not in first.headers
    assert (redeemed.status_code, redeemed.headers["Idempotency-Replayed"]) == (200, "true")
    assert redeemed.data == redeemed_again.data
    changed = client.post(f"{API}/gifts", json={"totalCredits": 11}, headers=keyed)
    assert changed.status_code == 422


def test_a_gift_is_accepted_done_by_a_worker_and_shown_in_both_lists(
    client: FlaskClient, database: Database, anna: dict[str, str], ben: dict[str, str]
) -> None:
    gift = make_gift(client, anna, message="Hello")

    queued = redeem(client, ben, gift["code"].lower().replace("-", " "))
    work(database, UUID(queued.json["jobId"]))  # type: ignore[index]
    followed = client.get(queued.headers["Location"], headers=ben).json
    received = client.get(f"{API}/gifts/me/received", headers=ben).json
    created = client.get(f"{API}/gifts/me/created", headers=anna).json

    assert queued.status_code == 202
    assert followed["status"] == "done"  # type: ignore[index]
    assert followed["result"]["newBalance"] == 10  # type: ignore[index]
    assert [gift_received["giftCodeId"] for gift_received in received] == [gift["id"]]  # type: ignore[union-attr]
    assert [(gift_made["status"], gift_made["redeemed"]) for gift_made in created] == [("depleted", 1)]  # type: ignore[union-attr]
    assert client.get(f"{API}/gifts/me/created", headers=ben).json == []


def test_the_public_page_shows_no_address_and_every_unknown_code_is_the_same_404(
    client: FlaskClient, issuer: Issuer, anna: dict[str, str]
) -> None:
    named_by_address = bearer(issuer, "anna", name="anna@x.de")
    gift = make_gift(client, named_by_address, type="personalized", targetEmail="Friend@X.de")

    page = client.get(f"{API}/gifts/{gift['code']}")
    unknown = [client.get(f"{API}/gifts/{code}") for code in ("ABC234", "x", "0000000000000000", gift["id"])]

    assert page.status_code == 200
    assert "@" not in page.text
    assert page.json["isPersonalized"] is True  # type: ignore[index]
    assert {answer.status_code for answer in unknown} == {404}
    assert len({answer.data for answer in unknown}) == 1
    assert anna


def test_refusals_over_http(
    client: FlaskClient, database: Database, issuer: Issuer, anna: dict[str, str], ben: dict[str, str]
) -> None:
    for_friend = make_gift(client, anna, type="personalized", targetEmail="friend@x.de")
    unverified = bearer(issuer, "carl", email="friend@x.de", email_verified=False)
    cancelled = make_gift(client, anna)
    client.delete(f"{API}/gifts/{cancelled['id']}", headers=anna)
    late = redeem(client, ben, cancelled["code"])
    work(database, UUID(late.json["jobId"]))  # type: ignore[index]

    def status_and_code(answer: TestResponse) -> tuple[int, str]:
        return answer.status_code, answer.json["code"]  # type: ignore[index]

    assert status_and_code(redeem(client, anna, for_friend["code"])) == (400, "gift_own")
    assert status_and_code(redeem(client, unverified, for_friend["code"])) == (400, "gift_not_for_you")
    for verified in ("false", 0, "no"):
        odd = bearer(issuer, "carl", email="friend@x.de", email_verified=verified)
        assert status_and_code(redeem(client, odd, for_friend["code"])) == (400, "gift_not_for_you")
    assert client.get(late.headers["Location"], headers=ben).json["problem"]["status"] == 400  # type: ignore[index]
    assert status_and_code(redeem(client, ben, "nonsense")) == (404, "not_found")
    assert status_and_code(client.delete(f"{API}/gifts/{for_friend['id']}", headers=ben)) == (404, "not_found")
    assert status_and_code(client.delete(f"{API}/gifts/no-uuid", headers=ben)) == (404, "not_found")
    assert status_and_code(client.delete(f"{API}/gifts/{cancelled['id']}", headers=anna)) == (400, "gift_cancelled")
    poor = client.post(f"{API}/gifts", json={"totalCredits": 5}, headers=ben)
    assert (poor.status_code, poor.json["details"]) == (402, {"required": 5, "available": 0})  # type: ignore[index]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"totalCredits": 0},
        {"totalCredits": 10_001},
        {"totalCredits": True},
        {"totalCredits": "5"},
        {"totalCredits": 1.5},
        {"totalCredits": 5, "credits": 6},
        {"totalCredits": 5, "type": "personalized"},
        {"totalCredits": 5, "type": "simple", "targetEmail": "a@x.de"},
        {"totalCredits": 5, "type": "other"},
        {"totalCredits": 5, "targetEmail": "ännä@x.de"},
        {"totalCredits": 5, "expirationDays": 0},
        {"totalCredits": 5, "expirationDays": 10**9},
        {"totalCredits": 5, "expirationDays": 1, "expiresAt": "2026-12-01T00:00:00Z"},
        {"totalCredits": 5, "expiresAt": "2020-01-01T00:00:00Z"},
        {"totalCredits": 5, "expiresAt": "9999-12-31T23:59:59Z"},
        {"totalCredits": 5, "expiresAt": "tomorrow"},
        {"totalCredits": 5, "expiresAt": "9999-12-31T23:59:59-23:59"},
        {"totalCredits": 5, "expiresAt": "9999-12-31T23:59:59.999999-00:01"},
        {"totalCredits": 5, "expiresAt": "0001-01-01T00:00:00+23:59"},
        {"totalCredits": 5, "expiresAt": 10**400},
        {"totalCredits": 5, "expiresAt": -(10**18)},
        {"totalCredits": 5, "message": "x" * 501},
        {"totalCredits": 5, "unknown": 1},
    ],
)
def test_a_gift_that_cannot_be_meant_is_refused(client: FlaskClient, anna: dict[str, str], body: Any) -> None:
    answer = client.post(f"{API}/gifts", json=body, headers=anna)

    assert (answer.status_code, answer.json["code"]) == (400, "validation_error")  # type: ignore[index]


def test_the_log_names_no_code_no_person_and_no_address(
    settings: Settings, database: Database, anna: dict[str, str], ben: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    application = create_app(settings)
    client = application.test_client()
    gift = make_gift(client, anna, type="personalized", targetEmail="friend@x.de", message="Secret")
    queued = redeem(client, ben, gift["code"])
    work(database, UUID(queued.json["jobId"]))  # type: ignore[index]
    client.get(f"{API}/gifts/{gift['code']}")
    redeem(client, anna, gift["code"])

    logged = capfd.readouterr()
    text = (logged.err + logged.out).lower()

    assert "request" in text
    for secret in (gift["code"], gift["code"].replace("-", ""), "friend@x.de", "anna@x.de", '"anna"', "Secret"):
        assert secret.lower() not in text
    application.extensions["mana_credits"].close()


def test_gifts_have_one_template_in_the_openapi_document(client: FlaskClient) -> None:
    paths = client.get("/openapi.json").json["paths"]  # type: ignore[index]

    assert sorted(paths["/api/v1/gifts/{ref}"]) == ["delete", "get"]
    assert paths["/api/v1/gifts/{ref}"]["get"]["security"] == []
    query = {parameter["name"] for parameter in paths["/api/v1/credits/usage"]["get"]["parameters"]}
    assert query == {"from", "to", "groupBy"}
