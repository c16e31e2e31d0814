"""Personal and internal credits, as clients see them: literal bodies."""

from typing import Any, Final

import psycopg
import pytest

from domain.store import Database
from tests.support.credits import give
from tests.support.forms import ID, TIME, grant_to_begin_with, insufficient_credits, thirty_used
from tests.support.http import Api, problem_of, written

USE: Final[dict[str, Any]] = {
    "amount": 30,
    "appId": "chat",
    "description": "A question",
    "metadata": {"model": "small", "n": [1, 2.5]},
}


USED: Final = thirty_used(USE["metadata"])


def test_a_new_user_has_nothing(api: Api) -> None:
    answer = api.user().get("/credits/balance")

    assert answer.status_code == 200
    assert answer.get_json() == {"balance": 0, "totalEarned": 0, "totalSpent": 0}


def test_a_balance_tells_what_is_there_what_came_and_what_went(api: Api, database: Database) -> None:
    give(database, "anna", 100)
    api.user().post("/credits/use", USE)

    assert api.user().get("/credits/balance").get_json() == {"balance": 70, "totalEarned": 100, "totalSpent": 30}


def test_using_credits_answers_the_transaction_and_the_new_balance(api: Api, database: Database) -> None:
    give(database, "anna", 100)

    answer = api.user().post("/credits/use", USE)

    assert answer.status_code == 200
    assert answer.get_json() == USED
    assert "Idempotency-Replayed" not in answer.headers


def test_a_use_without_metadata_and_with_a_key_tells_both(api: Api, database: Database) -> None:
    give(database, "anna", 100)

    answer = api.user().post(
        "/credits/use", {"amount": 1, "appId": "a", "description": "b", "idempotencyKey": "order-1", "metadata": None}
    )

    transaction = answer.get_json()["transaction"]
    assert (transaction["metadata"], transaction["idempotencyKey"]) == (None, "order-1")


def test_using_more_than_there_is_answers_402_with_the_facts(api: Api, database: Database) -> None:
    give(database, "anna", 29)

    answer = api.user().post("/credits/use", USE)

    assert problem_of(answer, 402) == insufficient_credits(required=30, available=29)
    assert written(database)["credits.transactions"] == 1


def test_the_last_credit_can_be_used(api: Api, database: Database) -> None:
    give(database, "anna", 30)

    assert api.user().post("/credits/use", USE).get_json()["newBalance"]["balance"] == 0


@pytest.mark.parametrize("amount", [1, 1_000_000])
def test_the_bounds_of_an_amount_are_amounts(api: Api, database: Database, amount: int) -> None:
    give(database, "anna", 1_000_000)

    assert api.user().post("/credits/use", USE | {"amount": amount}).status_code == 200


def test_texts_at_their_bounds_and_in_any_script_come_back_as_they_were(api: Api, database: Database) -> None:
    give(database, "anna", 10)
    body = {
        "amount": 1,
        "appId": "ä" * 64,
        "description": "👩‍👩‍👧 " * 83 + "漢",
        "idempotencyKey": "~" * 255,
        "metadata": {"ключ": "\u2028\t\\\"'<>&"},
    }

    transaction = api.user().post("/credits/use", body).get_json()["transaction"]

    assert {name: transaction[name] for name in ("appId", "description", "idempotencyKey", "metadata")} == {
        name: body[name] for name in ("appId", "description", "idempotencyKey", "metadata")
    }


def test_transactions_are_told_newest_first(api: Api, database: Database) -> None:
    give(database, "anna", 100)
    api.user().post("/credits/use", USE)

    transactions = api.user().get("/credits/transactions").get_json()

    assert transactions[0] == USED["transaction"]
    assert transactions[1] == grant_to_begin_with(100)
    assert transactions[1]["createdAt"] == transactions[1]["completedAt"] == "2026-11-21T12:00:00.000Z"


def test_a_user_sees_and_spends_nothing_of_anothers(api: Api, database: Database) -> None:
    give(database, "anna", 100)

    refusal = api.user("ben").post("/credits/use", USE)

    problem_of(refusal, 402, "insufficient_credits")
    assert api.user("ben").get("/credits/transactions").get_json() == []
    assert api.user("ben").get("/credits/balance").get_json()["balance"] == 0


# ---------------------------------------------------------------- for services


def test_a_service_reads_any_balance_also_of_a_user_with_an_odd_name(api: Api, database: Database) -> None:
    give(database, "anna@example.org x%", 7)

    known = api.service().get("/internal/credits/balance/anna@example.org%20x%25")
    unknown = api.service().get("/internal/credits/balance/nobody")

    assert known.get_json() == {"balance": 7, "totalEarned": 7, "totalSpent": 0}
    assert unknown.get_json() == {"balance": 0, "totalEarned": 0, "totalSpent": 0}


def test_a_service_uses_a_users_credits(api: Api, database: Database) -> None:
    give(database, "anna", 100)

    answer = api.service().post("/internal/credits/use", {"userId": "anna", **USE})

    assert (answer.status_code, answer.get_json()) == (200, USED)


def test_a_service_is_told_402_as_a_user_is(api: Api) -> None:
    answer = api.service().post("/internal/credits/use", {"userId": "anna", **USE})

    assert problem_of(answer, 402)["details"] == {"required": 30, "available": 0}


def test_a_refund_gives_credits_back(api: Api, database: Database) -> None:
    give(database, "anna", 100)
    body = {"userId": "anna", "amount": 5, "description": "It did not work", "metadata": {"order": 1}}

    answer = api.service().post("/internal/credits/refund", body)

    assert answer.status_code == 200
    assert answer.get_json() == {
        "success": True,
        "transaction": {
            "id": ID,
            "userId": "anna",
            "type": "refund",
            "status": "completed",
            "amount": 5,
            "balanceBefore": 100,
            "balanceAfter": 105,
            "appId": "system",
            "description": "It did not work",
            "metadata": {"order": 1},
            "idempotencyKey": None,
            "createdAt": TIME,
            "completedAt": TIME,
        },
        "newBalance": {"balance": 105},
    }


def test_init_makes_a_balance_once(api: Api, database: Database) -> None:
    first = api.service().post("/internal/credits/init", {"userId": "anna"})
    again = api.service().post("/internal/credits/init", {"userId": "anna"})

    assert first.get_json() == {
        "userId": "anna",
        "balance": 0,
        "totalEarned": 0,
        "totalSpent": 0,
        "createdAt": TIME,
        "updatedAt": TIME,
    }
    assert again.get_json() == first.get_json()
    assert written(database)["credits.transactions"] == 0


def test_init_leaves_an_existing_balance_as_it_is(api: Api, database: Database) -> None:
    give(database, "anna", 7)

    assert api.service().post("/internal/credits/init", {"userId": "anna"}).get_json()["balance"] == 7


def test_a_token_of_an_erased_user_is_refused_though_it_is_still_valid(
    api: Api, database: Database, database_url: str
) -> None:
    give(database, "anna", 100)
    with psycopg.connect(database_url) as owner:
        owner.execute("SELECT credits.erase('anna', NULL)")

    answer = api.user().post("/credits/use", {"amount": 1, "appId": "chat", "description": "A question"})

    problem_of(answer, 403, "user_erased")
