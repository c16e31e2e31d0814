"""One key, one effect: repeats bring the first answer, other requests under the same key are refused."""

from typing import Any, Final

import pytest

from domain.store import Database
from tests.support.credits import give
from tests.support.http import Api, Caller, problem_of, without_message, written

USE: Final = {
    "amount": 10,
    "appId": "chat",
    "description": "A question",
    "metadata": {"b": 1, "a": [2, {"z": 0, "y": 1}]},
}
ROUTES: Final = {
    "/credits/use": USE,
    "/internal/credits/use": {"userId": "anna", **USE},
    "/internal/credits/refund": {"userId": "anna", "amount": 10, "description": "Sorry"},
}


def caller(api: Api, path: str) -> Caller:
    return api.service() if path.startswith("/internal") else api.user()


@pytest.mark.parametrize("path", ROUTES)
def test_a_repeated_key_brings_the_first_answer_and_says_so(api: Api, database: Database, path: str) -> None:
    give(database, "anna", 100)
    first = caller(api, path).post(path, ROUTES[path], Idempotency_Key="k")
    caller(api, path).post(path, ROUTES[path], Idempotency_Key="between")

    again = caller(api, path).post(path, ROUTES[path], Idempotency_Key="k")

    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.status_code == first.status_code == 200
    assert without_message(again) == without_message(first)
    assert written(database)["credits.transactions"] == 3


@pytest.mark.parametrize("path", ["/credits/use", "/internal/credits/use"])
def test_a_repeated_use_says_in_its_body_that_it_was_done(api: Api, database: Database, path: str) -> None:
    give(database, "anna", 100)
    first = caller(api, path).post(path, ROUTES[path] | {"idempotencyKey": "k"})

    again = caller(api, path).post(path, ROUTES[path] | {"idempotencyKey": "k"})

    assert "message" not in first.get_json()
    assert again.get_json() == {**first.get_json(), "message": "Transaction already processed"}


def test_a_key_is_the_same_in_header_and_body_quoted_or_bare(api: Api, database: Database) -> None:
    give(database, "anna", 100)
    first = api.user().post("/credits/use", USE | {"idempotencyKey": "k"})

    for header in ("k", '"k"', " k ", '"k" '):
        again = api.user().post("/credits/use", USE, Idempotency_Key=header)

        assert without_message(again) == first.get_json()


@pytest.mark.parametrize("header", ['"k', 'k"', '"'])
def test_a_key_with_one_quote_is_refused(api: Api, header: str) -> None:
    problem_of(api.user().post("/credits/use", USE, Idempotency_Key=header), 400, "validation_error")


def test_the_same_key_in_both_places_is_one_key(api: Api, database: Database) -> None:
    give(database, "anna", 100)

    answer = api.user().post("/credits/use", USE | {"idempotencyKey": "k"}, Idempotency_Key='"k"')

    assert answer.get_json()["transaction"]["idempotencyKey"] == "k"


def test_different_keys_in_header_and_body_are_refused(api: Api, database: Database) -> None:
    give(database, "anna", 100)

    answer = api.user().post("/credits/use", USE | {"idempotencyKey": "k"}, Idempotency_Key="l")

    assert problem_of(answer, 400, "validation_error")["detail"] == "Idempotency-Key and idempotencyKey differ"
    assert written(database)["credits.transactions"] == 1


OTHERS: Final[list[dict[str, Any]]] = [
    {"amount": 11},
    {"appId": "paint"},
    {"description": "Another question"},
    {"metadata": {"b": 2}},
    {"metadata": None},
    {"metadata": {"b": 1, "a": [{"z": 0, "y": 1}, 2]}},
]


@pytest.mark.parametrize("path", ROUTES)
def test_a_key_with_another_request_is_refused(api: Api, database: Database, path: str) -> None:
    give(database, "anna", 100)
    body = {**USE, **ROUTES[path]}
    caller(api, path).post(path, body, Idempotency_Key="k")

    for other in OTHERS:
        answer = caller(api, path).post(path, body | other, Idempotency_Key="k")

        problem_of(answer, 422, "idempotency_key_reused")
    assert written(database)["credits.transactions"] == 2


def test_the_order_of_members_makes_no_other_request(api: Api, database: Database) -> None:
    give(database, "anna", 100)
    api.user().post("/credits/use", USE, Idempotency_Key="k")
    turned = {
        "metadata": {"a": [2, {"y": 1, "z": 0}], "b": 1},
        "description": "A question",
        "appId": "chat",
        "amount": 10,
    }

    assert api.user().post("/credits/use", turned, Idempotency_Key="k").headers["Idempotency-Replayed"] == "true"


def test_a_default_that_is_told_makes_no_other_request(api: Api, database: Database) -> None:
    give(database, "anna", 100)
    body = {"userId": "anna", "amount": 10, "description": "Sorry"}
    api.service().post("/internal/credits/refund", body, Idempotency_Key="k")

    again = api.service().post(
        "/internal/credits/refund", body | {"appId": "system", "metadata": None}, Idempotency_Key="k"
    )

    assert again.headers["Idempotency-Replayed"] == "true"


def test_two_users_may_use_one_key(api: Api, database: Database) -> None:
    give(database, "anna", 100)
    give(database, "ben", 100)

    first = api.user("anna").post("/credits/use", USE, Idempotency_Key="k").get_json()
    second = api.user("ben").post("/credits/use", USE, Idempotency_Key="k").get_json()

    assert first["transaction"]["id"] != second["transaction"]["id"]
    assert second["transaction"]["userId"] == "ben"


def test_a_service_may_use_one_key_for_two_users(api: Api, database: Database) -> None:
    give(database, "anna", 100)
    give(database, "ben", 100)

    for user_id in ("anna", "ben"):
        answer = api.service().post("/internal/credits/use", USE | {"userId": user_id}, Idempotency_Key="k")

        assert answer.get_json()["transaction"]["userId"] == user_id
        assert "Idempotency-Replayed" not in answer.headers


def test_one_key_on_three_routes_means_three_requests(api: Api, database: Database) -> None:
    give(database, "anna", 100)

    for path, body in ROUTES.items():
        answer = caller(api, path).post(path, body, Idempotency_Key="k")

        assert (answer.status_code, answer.headers.get("Idempotency-Replayed")) == (200, None)


def test_keys_that_differ_in_case_are_two_keys(api: Api, database: Database) -> None:
    give(database, "anna", 100)

    for key in ("key", "KEY", "key.", ":key", "use:key"):
        assert api.user().post("/credits/use", USE, Idempotency_Key=key).headers.get("Idempotency-Replayed") is None

    assert written(database)["credits.transactions"] == 6


def test_without_a_key_every_request_counts(api: Api, database: Database) -> None:
    give(database, "anna", 100)

    for _ in range(3):
        api.user().post("/credits/use", USE)

    assert api.user().get("/credits/balance").get_json()["balance"] == 70


def test_a_refusal_is_not_frozen(api: Api, database: Database) -> None:
    problem_of(api.user().post("/credits/use", USE, Idempotency_Key="k"), 402, "insufficient_credits")
    give(database, "anna", 10)

    answer = api.user().post("/credits/use", USE, Idempotency_Key="k")

    assert (answer.status_code, answer.get_json()["newBalance"]["balance"]) == (200, 0)


def test_a_replayed_answer_is_the_first_one_also_when_the_balance_is_gone(api: Api, database: Database) -> None:
    give(database, "anna", 10)
    first = api.user().post("/credits/use", USE, Idempotency_Key="k")

    again = api.user().post("/credits/use", USE, Idempotency_Key="k")

    assert without_message(again) == first.get_json()


def test_numbers_in_the_metadata_come_back_as_they_were(api: Api, database: Database) -> None:
    give(database, "anna", 100)
    for number in (1e2, 1.5, -0.0, 1e-7, 123456789012345678901234567890, 0.1):
        body = USE | {"metadata": {"n": number}}
        first = api.user().post("/credits/use", body, Idempotency_Key=str(number))

        again = api.user().post("/credits/use", body, Idempotency_Key=str(number))

        assert without_message(again) == first.get_json()
        assert again.get_json()["transaction"]["metadata"] == {"n": number}


def test_any_visible_ascii_makes_a_key(api: Api, database: Database) -> None:
    give(database, "anna", 100)
    for key in ("!", "~" * 255, "a:b/c?d=e", "';DROP_TABLE_credits.transactions;--", "%00", "\\"):
        first = api.user().post("/credits/use", USE, Idempotency_Key=key)
        again = api.user().post("/credits/use", USE, Idempotency_Key=f'"{key}"')

        assert first.get_json()["transaction"]["idempotencyKey"] == key
        assert again.headers["Idempotency-Replayed"] == "true"
