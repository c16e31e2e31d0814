"""Golden examples: balances, spending, histories and purchases, as both kinds of clients ask for them."""

from threading import Thread
from typing import Any

import pytest

from domain.store import Database
from tests.support.credits import give
from tests.support.forms import (
    CURSOR,
    ID,
    TIME,
    grant_to_begin_with,
    package,
    problem,
    status_and_body,
    thirty_used,
)
from tests.support.http import Caller
from tests.support.jobs import waiting_job
from tests.support.purchases import INTENT, SESSION, finish_purchase_job, offer, payment_fact, settle

USE: dict[str, Any] = {"amount": 30, "appId": "chat", "description": "A question", "metadata": {"model": "small"}}
USED = thirty_used(USE["metadata"])
TRANSACTION = USED["transaction"]
URLS = {"successUrl": "https://app.example/paid?s={CHECKOUT_SESSION_ID}", "cancelUrl": "https://app.example/cart"}
PENDING = {
    "id": ID,
    "userId": "anna",
    "packageId": ID,
    "credits": 500,
    "priceEuroCents": 499,
    "stripePaymentIntentId": None,
    "stripeCustomerId": None,
    "status": "pending",
    "metadata": None,
    "createdAt": TIME,
    "completedAt": None,
    "refundedEuroCents": 0,
    "clientSecret": None,
    "checkoutUrl": None,
}


@pytest.fixture
def package_id(database: Database) -> str:
    return str(offer(database))


def test_a_balance(database: Database, anna: Caller, mana_auth: Caller) -> None:
    assert status_and_body(anna.get("/credits/balance")) == (200, {"balance": 0, "totalEarned": 0, "totalSpent": 0})
    give(database, "anna", 100)
    anna.post("/credits/use", USE)

    expected = (200, {"balance": 70, "totalEarned": 100, "totalSpent": 30})
    assert status_and_body(anna.get("/credits/balance")) == expected
    assert status_and_body(mana_auth.get("/internal/credits/balance/anna")) == expected


@pytest.mark.parametrize(
    ("body", "noted"),
    [
        (USE, {"model": "small"}),
        (USE | {"metadata": None}, None),
        ({"amount": 30, "appId": "chat", "description": "A question"}, None),
    ],
)
def test_using_without_a_key(
    database: Database, anna: Caller, mana_auth: Caller, body: dict[str, Any], noted: dict[str, Any] | None
) -> None:
    give(database, "anna", 100)
    by_user = anna.post("/credits/use", body)
    by_service = mana_auth.post("/internal/credits/use", {"userId": "anna", **body})

    assert status_and_body(by_user) == (200, USED | {"transaction": TRANSACTION | {"metadata": noted}})
    assert status_and_body(by_service) == (
        200,
        {
            "success": True,
            "transaction": TRANSACTION | {"metadata": noted, "balanceBefore": 70, "balanceAfter": 40},
            "newBalance": {"balance": 40, "totalEarned": 100, "totalSpent": 60},
        },
    )
    assert "Idempotency-Replayed" not in by_user.headers


@pytest.mark.parametrize("path", ["/credits/use", "/internal/credits/use"])
@pytest.mark.parametrize(
    ("in_body", "in_header"),
    [
        ({"idempotencyKey": "k-1"}, {}),
        ({}, {"Idempotency_Key": "k-1"}),
        ({}, {"Idempotency_Key": '"k-1"'}),
        ({"idempotencyKey": "k-1"}, {"Idempotency_Key": "k-1"}),
    ],
)
def test_using_with_a_key_twice(
    database: Database,
    anna: Caller,
    mana_auth: Caller,
    *,
    path: str,
    in_body: dict[str, str],
    in_header: dict[str, str],
) -> None:
    give(database, "anna", 100)
    caller, body = (mana_auth, {"userId": "anna", **USE}) if "internal" in path else (anna, USE)

    first = caller.post(path, body | in_body, **in_header)
    again = caller.post(path, body | in_body, **in_header)

    used = USED | {"transaction": TRANSACTION | {"idempotencyKey": "k-1"}}
    assert status_and_body(first) == (200, used)
    assert status_and_body(again) == (200, first.get_json() | {"message": "Transaction already processed"})
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"


def test_using_more_than_there_is(database: Database, anna: Caller, mana_auth: Caller) -> None:
    give(database, "anna", 5)

    expected = problem(
        402,
        "insufficient_credits",
        "Insufficient credits",
        "Insufficient credits",
        details={"required": 30, "available": 5},
    )
    assert status_and_body(anna.post("/credits/use", USE)) == expected
    assert status_and_body(mana_auth.post("/internal/credits/use", {"userId": "anna", **USE})) == expected


def test_refunding_by_a_service(database: Database, mana_auth: Caller) -> None:
    give(database, "anna", 100)
    body = {"userId": "anna", "amount": 5, "description": "It did not work"}

    first = mana_auth.post("/internal/credits/refund", body, Idempotency_Key="r-1")
    again = mana_auth.post("/internal/credits/refund", body, Idempotency_Key="r-1")
    other = mana_auth.post("/internal/credits/refund", body | {"appId": "research", "metadata": {"order": 1}})

    refund = TRANSACTION | {
        "type": "refund",
        "amount": 5,
        "balanceBefore": 100,
        "balanceAfter": 105,
        "appId": "system",
        "description": "It did not work",
        "metadata": None,
        "idempotencyKey": "r-1",
    }
    assert status_and_body(first) == (200, {"success": True, "transaction": refund, "newBalance": {"balance": 105}})
    assert status_and_body(again) == status_and_body(first)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert other.get_json()["transaction"] == refund | {
        "balanceBefore": 105,
        "balanceAfter": 110,
        "appId": "research",
        "metadata": {"order": 1},
        "idempotencyKey": None,
    }


def test_preparing_a_user(mana_auth: Caller) -> None:
    first = mana_auth.post("/internal/credits/init", {"userId": "anna"})
    again = mana_auth.post("/internal/credits/init", {"userId": "anna"})

    row = {"userId": "anna", "balance": 0, "totalEarned": 0, "totalSpent": 0, "createdAt": TIME, "updatedAt": TIME}
    assert status_and_body(first) == (200, row)
    assert status_and_body(again) == status_and_body(first)


def test_the_history_page_by_page(database: Database, anna: Caller) -> None:
    give(database, "anna", 100)
    anna.post("/credits/use", USE)

    page = anna.get("/credits/transactions?limit=1")
    first, _, cursor = page.headers["Link"].partition("&cursor=")
    rest = anna.get(f"/credits/transactions?limit=100&cursor={cursor.partition('>')[0]}")

    assert status_and_body(page) == (200, [TRANSACTION])
    assert (first, cursor.partition(">")[2]) == ("</api/v1/credits/transactions?limit=1", '; rel="next"')
    assert cursor.partition(">")[0] == CURSOR
    assert status_and_body(rest) == status_and_body(anna.get("/credits/transactions?limit=1&offset=1"))
    assert status_and_body(rest) == (
        200,
        [grant_to_begin_with(100)],
    )
    assert "Link" not in rest.headers


def test_the_packages_on_sale(database: Database, anna: Caller) -> None:
    offer(database, name="Large", amount=5_000, price=3_999, order=2)
    offer(database, name="Small", amount=500, price=499, order=1)

    small = package("Small", amount=500, price=499, order=1)
    large = package("Large", amount=5_000, price=3_999, order=2)
    assert status_and_body(anna.get("/credits/packages")) == (200, [small, large])


@pytest.mark.parametrize("preference", ["respond-async", "wait=0"])
def test_a_purchase_that_is_answered_before_it_is_prepared(
    database: Database, anna: Caller, package_id: str, preference: str
) -> None:
    answer = anna.post("/credits/purchase", {"packageId": package_id}, Prefer=preference)

    job_id = answer.get_json()["jobId"]
    assert status_and_body(answer) == (
        202,
        {"jobId": ID, "status": "pending", "statusUrl": f"/api/v1/jobs/{job_id}", "purchaseId": ID},
    )
    assert answer.headers["Location"] == f"/api/v1/jobs/{job_id}"
    assert answer.headers["Retry-After"] == "1"
    assert answer.headers["Preference-Applied"] == preference
    assert database is not None


def test_a_purchase_with_a_payment_intent(database: Database, anna: Caller, package_id: str) -> None:
    worker = Thread(target=lambda: finish_purchase_job(database, str(waiting_job(database)), INTENT))
    worker.start()
    body = {"packageId": package_id}
    first = anna.post("/credits/purchase", body, Prefer="wait=10", Idempotency_Key="p-1")
    worker.join()
    again = anna.post("/credits/purchase", body, Idempotency_Key="p-1")

    started = {
        "purchaseId": ID,
        "clientSecret": "pi_1_secret_1",
        "amount": 499,
        "credits": 500,
        "checkoutUrl": None,
    }
    assert status_and_body(first) == (200, started)
    assert first.headers["Preference-Applied"] == "wait=10"
    assert "Idempotency-Replayed" not in first.headers
    assert status_and_body(again) == status_and_body(first)
    assert again.headers["Idempotency-Replayed"] == "true"


def test_a_purchase_with_a_checkout_session(database: Database, anna: Caller, package_id: str) -> None:
    body = {"packageId": package_id, **URLS}
    accepted = anna.post("/credits/purchase", body, Idempotency_Key="p-1").get_json()
    finish_purchase_job(database, accepted["jobId"], SESSION)

    assert status_and_body(anna.post("/credits/purchase", body, Idempotency_Key="p-1")) == (
        200,
        {
            "purchaseId": accepted["purchaseId"],
            "clientSecret": None,
            "amount": 499,
            "credits": 500,
            "checkoutUrl": "https://checkout.example/cs_1",
        },
    )


def test_a_purchase_that_returns_to_a_stranger(anna: Caller, package_id: str) -> None:
    body = {"packageId": package_id, **URLS, "successUrl": "https://evil.example/"}

    assert status_and_body(anna.post("/credits/purchase", body)) == problem(
        400,
        "validation_error",
        "Invalid request",
        "The body is not valid",
        errors=[{"field": "successUrl", "message": "must be an address of one of our web clients"}],
    )


def test_a_purchase_of_a_package_that_is_not_on_sale(database: Database, anna: Caller) -> None:
    body = {"packageId": "019aa5d0-0000-7000-8000-000000000000"}

    expected = problem(404, "not_found", "Not found", "Package not found")
    assert status_and_body(anna.post("/credits/purchase", body)) == expected
    assert database is not None


def test_following_purchases(database: Database, anna: Caller, package_id: str) -> None:
    body = {"packageId": package_id}
    accepted = anna.post("/credits/purchase", body).get_json()
    path = f"/credits/purchase/{accepted['purchaseId']}"
    recorded = status_and_body(anna.get(path))
    finish_purchase_job(database, accepted["jobId"], INTENT)
    payable = status_and_body(anna.get(path))
    settle(database, payment_fact(accepted["purchaseId"]))
    completed = status_and_body(anna.get(path))

    at_stripe = {"stripePaymentIntentId": "pi_1", "stripeCustomerId": "cus_1"}
    purchase = PENDING | {"id": accepted["purchaseId"], "packageId": package_id}
    paid = purchase | at_stripe | {"status": "completed", "completedAt": "2026-11-21T12:00:00.000Z"}
    assert recorded == (200, purchase)
    assert payable == (200, purchase | at_stripe | {"clientSecret": "pi_1_secret_1"})
    assert completed == (200, paid)
    second = anna.post("/credits/purchase", body).get_json()["purchaseId"]
    listed = anna.get("/credits/purchases")
    assert status_and_body(listed) == (200, [purchase | {"id": second}, paid])
    assert "Link" not in listed.headers
    assert anna.get("/credits/purchases?limit=1").headers["Link"].startswith(
        "</api/v1/credits/purchases?limit=1&cursor="
    )  # fmt: skip
