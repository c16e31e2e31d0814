"""Buying credits, as clients see it: packages, starting a purchase, following it."""

import json
import re
import time
from dataclasses import dataclass
from threading import Thread
from typing import Any, Final
from uuid import UUID

import pytest
from sqlalchemy import text
from werkzeug.test import TestResponse

from domain.errors import NotFound
from domain.ids import new_id
from domain.operations import jobs
from domain.rules.jobs import Job
from domain.store import Database, packages
from tests.support.forms import package
from tests.support.http import INSTANT_TEXT, UUID_TEXT, Api, problem_of, written
from tests.support.purchases import INTENT, SESSION, finish_purchase_job, offer, payment_fact, settle, start_purchase
from tests.support.times import NOW
from web.http.waiting_room import WaitingRoom

PURCHASE: Final = "/credits/purchase"


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A package on sale, and the body that buys it."""

    package_id: UUID

    @property
    def body(self) -> dict[str, Any]:
        return {"packageId": str(self.package_id)}


@pytest.fixture
def starter(database: Database) -> Offer:
    return Offer(package_id=offer(database))


def accepted(answer: TestResponse) -> dict[str, Any]:
    assert answer.status_code == 202, answer.get_data(as_text=True)
    body: dict[str, Any] = answer.get_json()
    return body


def test_packages_on_sale_are_told_in_their_order(api: Api, database: Database) -> None:
    offer(database, name="Large", amount=5_000, price=3_999, order=2)
    offer(database, name="Small", amount=500, price=499, order=1)
    offer(database, name="Old", amount=1, price=50, order=0)
    with database.begin() as store:
        packages.change(store, "Old", {"active": False}, now=NOW)

    answer = api.user().get("/credits/packages")

    packages_on_sale = answer.get_json()
    assert packages_on_sale[0] == package("Small", amount=500, price=499, order=1)
    assert [on_sale["name"] for on_sale in packages_on_sale] == ["Small", "Large"]


def test_a_purchase_is_recorded_and_answered_with_where_to_ask(api: Api, database: Database, starter: Offer) -> None:
    answer = api.user().post(PURCHASE, starter.body)

    body = accepted(answer)
    assert sorted(body) == ["jobId", "purchaseId", "status", "statusUrl"]
    assert re.fullmatch(UUID_TEXT, body["jobId"])
    assert re.fullmatch(UUID_TEXT, body["purchaseId"])
    assert body["status"] == "pending"
    assert body["statusUrl"] == f"/api/v1/jobs/{body['jobId']}"
    assert answer.headers["Location"] == body["statusUrl"]
    assert answer.headers["Retry-After"] == "1"
    assert "Preference-Applied" not in answer.headers
    assert written(database) == {"credits.transactions": 0, "credits.purchases": 1, "jobs.jobs": 1}


def test_a_pending_purchase_can_be_followed(api: Api, starter: Offer) -> None:
    started = accepted(api.user().post(PURCHASE, starter.body))

    purchase = api.user().get(f"/credits/purchase/{started['purchaseId']}").get_json()

    assert re.fullmatch(INSTANT_TEXT, purchase.pop("createdAt"))
    assert purchase == {
        "id": started["purchaseId"],
        "userId": "anna",
        "packageId": str(starter.package_id),
        "credits": 500,
        "priceEuroCents": 499,
        "stripePaymentIntentId": None,
        "stripeCustomerId": None,
        "status": "pending",
        "metadata": None,
        "completedAt": None,
        "refundedEuroCents": 0,
        "clientSecret": None,
        "checkoutUrl": None,
    }


def test_a_repeat_after_the_job_is_done_brings_what_is_needed_to_pay(
    api: Api, database: Database, starter: Offer
) -> None:
    started = accepted(api.user().post(PURCHASE, starter.body, Idempotency_Key="k"))
    finish_purchase_job(database, started["jobId"], INTENT)

    answer = api.user().post(PURCHASE, starter.body, Idempotency_Key="k")

    assert answer.status_code == 200
    assert answer.headers["Idempotency-Replayed"] == "true"
    assert answer.get_json() == {
        "purchaseId": started["purchaseId"],
        "clientSecret": "pi_1_secret_1",
        "amount": 499,
        "credits": 500,
        "checkoutUrl": None,
    }


def test_a_checkout_brings_its_url(api: Api, database: Database, starter: Offer) -> None:
    body = starter.body | {
        "successUrl": "https://app.example/ok?s={CHECKOUT_SESSION_ID}",
        "cancelUrl": "https://shop.example",
    }
    started = accepted(api.user().post(PURCHASE, body, Idempotency_Key="k"))
    finish_purchase_job(database, started["jobId"], SESSION)

    answer = api.user().post(PURCHASE, body, Idempotency_Key="k")

    assert answer.get_json()["checkoutUrl"] == "https://checkout.example/cs_1"
    assert answer.get_json()["clientSecret"] is None
    with database.single() as store:
        row = store.run(text("SELECT success_url, cancel_url FROM credits.purchases")).one()
    assert tuple(row) == (body["successUrl"], "https://shop.example")


def test_a_checkout_may_return_to_our_own_pages_and_the_address_names_the_purchase(
    api: Api, database: Database, starter: Offer
) -> None:
    body = starter.body | {
        "successUrl": "https://credits.example/credits/return?purchase={PURCHASE_ID}",
        "cancelUrl": "https://app.example/{PURCHASE_ID}/{PURCHASE_ID}",
    }

    started = accepted(api.user().post(PURCHASE, body, Idempotency_Key="k"))

    with database.single() as store:
        created_at, success_url, cancel_url = store.run(
            text("SELECT id::text, success_url, cancel_url FROM credits.purchases")
        ).one()
    assert started["purchaseId"] == created_at
    assert success_url == f"https://credits.example/credits/return?purchase={created_at}"
    assert cancel_url == f"https://app.example/{created_at}/{created_at}"
    assert accepted(api.user().post(PURCHASE, body, Idempotency_Key="k"))["purchaseId"] == created_at


@pytest.mark.parametrize(("member", "missing"), [("successUrl", "cancelUrl"), ("cancelUrl", "successUrl")])
def test_one_url_without_the_other_is_refused(
    api: Api, database: Database, starter: Offer, member: str, missing: str
) -> None:
    answer = api.user().post(PURCHASE, starter.body | {member: "https://app.example/"})

    problem = problem_of(answer, 400, "validation_error")
    assert problem["errors"] == [{"field": missing, "message": "successUrl and cancelUrl come together"}]
    assert written(database)["jobs.jobs"] == 0


def test_urls_that_are_null_are_urls_left_out(api: Api, starter: Offer) -> None:
    accepted(api.user().post(PURCHASE, starter.body | {"successUrl": None, "cancelUrl": None}))


def test_an_unknown_package_is_not_found(api: Api, database: Database) -> None:
    answer = api.user().post(PURCHASE, {"packageId": "019aa5d0-0000-7000-8000-000000000000"})

    assert problem_of(answer, 404, "not_found")["detail"] == "Package not found"
    assert written(database)["jobs.jobs"] == 0


def test_a_package_no_longer_on_sale_is_not_found(api: Api, database: Database, starter: Offer) -> None:
    with database.begin() as store:
        packages.change(store, "Starter", {"active": False}, now=NOW)

    problem_of(api.user().post(PURCHASE, starter.body), 404, "not_found")
    assert written(database)["jobs.jobs"] == 0


def test_a_key_stays_good_when_the_package_has_left_the_sale(api: Api, database: Database, starter: Offer) -> None:
    first = accepted(api.user().post(PURCHASE, starter.body, Idempotency_Key="k"))
    with database.begin() as store:
        packages.change(store, "Starter", {"active": False}, now=NOW)

    again = api.user().post(PURCHASE, starter.body, Idempotency_Key="k")

    assert accepted(again) == first


def test_a_repeat_while_the_job_waits_joins_it(api: Api, database: Database, starter: Offer) -> None:
    first = accepted(api.user().post(PURCHASE, starter.body, Idempotency_Key="k"))

    again = accepted(api.user().post(PURCHASE, starter.body, Idempotency_Key='"k"'))

    assert again == first
    assert written(database) == {"credits.transactions": 0, "credits.purchases": 1, "jobs.jobs": 1}


def test_without_a_key_every_purchase_is_another(api: Api, database: Database, starter: Offer) -> None:
    first = accepted(api.user().post(PURCHASE, starter.body))
    second = accepted(api.user().post(PURCHASE, starter.body))

    assert first["purchaseId"] != second["purchaseId"]
    assert written(database)["credits.purchases"] == 2


@pytest.mark.parametrize("other", ["package", "urls"])
def test_a_key_with_another_purchase_is_refused(api: Api, database: Database, starter: Offer, other: str) -> None:
    accepted(api.user().post(PURCHASE, starter.body, Idempotency_Key="k"))
    urls = {"successUrl": "https://app.example/a", "cancelUrl": "https://app.example/b"}
    bodies = {"package": {"packageId": str(offer(database, name="Other"))}, "urls": starter.body | urls}

    answer = api.user().post(PURCHASE, bodies[other], Idempotency_Key="k")

    problem_of(answer, 422, "idempotency_key_reused")
    assert written(database)["credits.purchases"] == 1


def test_two_users_may_buy_under_one_key(api: Api, database: Database, starter: Offer) -> None:
    first = accepted(api.user("anna").post(PURCHASE, starter.body, Idempotency_Key="k"))
    second = accepted(api.user("ben").post(PURCHASE, starter.body, Idempotency_Key="k"))

    assert first["purchaseId"] != second["purchaseId"]
    assert written(database)["jobs.jobs"] == 2


def test_users_whose_names_and_keys_run_together_are_kept_apart(api: Api, starter: Offer) -> None:
    first = accepted(api.user("a:b").post(PURCHASE, starter.body, Idempotency_Key="c"))
    second = accepted(api.user("a").post(PURCHASE, starter.body, Idempotency_Key="b:c"))

    assert first["jobId"] != second["jobId"]


def test_a_key_whose_job_was_rejected_runs_that_job_again(api: Api, database: Database, starter: Offer) -> None:
    first = accepted(api.user().post(PURCHASE, starter.body, Idempotency_Key="k"))
    with database.begin() as store:
        job = jobs.start(store, UUID(first["jobId"]), token=new_id())
        assert job is not None
        jobs.reject(store, job, NotFound("Package"))

    again = accepted(api.user().post(PURCHASE, starter.body, Idempotency_Key="k"))

    assert again == first
    assert api.user().get(f"/jobs/{first['jobId']}").get_json()["status"] == "pending"


PREFERENCES: Final[list[tuple[str, str | None]]] = [
    ("respond-async", "respond-async"),
    ("Respond-Async", "respond-async"),
    ("wait=0", "wait=0"),
    ("wait=0, respond-async", "wait=0"),
    ("respond-async, wait=5", "respond-async"),
    ("return=minimal, respond-async", "respond-async"),
    ("return=minimal", None),
    ("", None),
    ("wait=-1", None),
    ("wait=abc", None),
    ("wait=", None),
    ("wait=1e9", None),
    ("wait=0;x=1", "wait=0"),
    (",;,=", None),
    ("x" * 5_000, None),
]


def test_a_preference_that_is_honoured_is_echoed(api: Api, starter: Offer) -> None:
    for number, (prefer, applied) in enumerate(PREFERENCES):
        answer = api.user(f"user-{number}").post(PURCHASE, starter.body, Prefer=prefer)

        accepted(answer)
        assert answer.headers.get("Preference-Applied") == applied, prefer


def test_a_waiting_answer_is_the_jobs_when_it_is_done_in_time(api: Api, database: Database, starter: Offer) -> None:
    def do_the_waiting_job() -> None:
        job_id = None
        while job_id is None:
            time.sleep(0.05)
            with database.single() as store:
                job_id = store.run(text("SELECT id FROM jobs.jobs")).scalar()
        finish_purchase_job(database, str(job_id), INTENT)

    worker = Thread(target=do_the_waiting_job)
    worker.start()
    answer = api.user().post(PURCHASE, starter.body, Prefer="wait=10")
    worker.join()

    assert answer.status_code == 200
    assert answer.headers["Preference-Applied"] == "wait=10"
    assert answer.get_json()["clientSecret"] == "pi_1_secret_1"
    assert "Idempotency-Replayed" not in answer.headers


def test_waiting_ends_with_202_when_the_job_is_not_done_in_time(api: Api, starter: Offer) -> None:
    answer = api.user().post(PURCHASE, starter.body, Prefer="wait=1")

    accepted(answer)
    assert answer.headers["Preference-Applied"] == "wait=1"


@pytest.mark.parametrize(("others", "waits"), [("default", "not"), ("default in hand", "waits"), ("renewals", "waits")])
def test_no_request_waits_behind_a_long_queue_and_a_started_job_or_a_wave_of_renewals_is_none(
    api: Api, database: Database, others: str, waits: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.single() as store:
        store.run(
            text(
                "INSERT INTO jobs.jobs (id, kind, queue, key, payload, next_at, enqueued_at, created_at)"
                " SELECT gen_random_uuid(), 'renew', :queue, 'old', '{}', at, at, at"
                " FROM (SELECT now() - interval '1 minute' AS at) AS old"
            ),
            {"queue": others.split(maxsplit=1)[0]},
        )
        if "in hand" in others:
            store.run(text("UPDATE jobs.jobs SET lease_token = id, leased_until = now() + interval '1 minute'"))
    watched: list[Job] = []

    def watch(_room: WaitingRoom, job: Job, _until: float) -> Job:
        watched.append(job)
        return job

    monkeypatch.setattr(WaitingRoom, "_watch", watch)

    accepted(api.user().post(PURCHASE, {"packageId": str(offer(database))}, Prefer="wait=4"))

    assert bool(watched) == (waits == "waits")


# ---------------------------------------------------------------- following it


def test_a_pending_purchase_tells_its_secret_once_it_exists(api: Api, database: Database, starter: Offer) -> None:
    started = accepted(api.user().post(PURCHASE, starter.body))
    finish_purchase_job(database, started["jobId"], INTENT)

    purchase = api.user().get(f"/credits/purchase/{started['purchaseId']}").get_json()

    assert (purchase["status"], purchase["clientSecret"]) == ("pending", "pi_1_secret_1")
    assert (purchase["stripePaymentIntentId"], purchase["stripeCustomerId"]) == ("pi_1", "cus_1")


def test_a_completed_purchase_tells_no_secret_and_has_paid_in(api: Api, database: Database, starter: Offer) -> None:
    started = accepted(api.user().post(PURCHASE, starter.body))
    finish_purchase_job(database, started["jobId"], INTENT)
    settle(database, payment_fact(started["purchaseId"]))

    purchase = api.user().get(f"/credits/purchase/{started['purchaseId']}").get_json()

    assert (purchase["status"], purchase["completedAt"]) == ("completed", "2026-11-21T12:00:00.000Z")
    assert (purchase["clientSecret"], purchase["checkoutUrl"]) == (None, None)
    assert api.user().get("/credits/balance").get_json() == {"balance": 500, "totalEarned": 500, "totalSpent": 0}
    assert api.user().get("/credits/transactions").get_json()[0]["description"] == "Credit purchase: Starter"


def test_a_purchase_of_another_user_is_not_found(api: Api, database: Database, starter: Offer) -> None:
    with database.begin() as store:
        purchase_id = start_purchase(store, package_id=starter.package_id, user_id="ben").purchase_id

    problem_of(api.user("anna").get(f"/credits/purchase/{purchase_id}"), 404, "not_found")
    assert api.user("anna").get("/credits/purchases").get_json() == []
    assert api.user("ben").get(f"/credits/purchase/{purchase_id}").status_code == 200


def test_a_purchase_keeps_the_price_it_was_made_with(api: Api, database: Database, starter: Offer) -> None:
    started = accepted(api.user().post(PURCHASE, starter.body))
    with database.begin() as store:
        packages.change(store, "Starter", {"price_euro_cents": 999, "credits": 1}, now=NOW)

    purchase = api.user().get(f"/credits/purchase/{started['purchaseId']}").get_json()

    assert (purchase["priceEuroCents"], purchase["credits"]) == (499, 500)


def test_purchases_are_told_newest_first_as_each_alone(api: Api, starter: Offer) -> None:
    ids = [accepted(api.user().post(PURCHASE, starter.body))["purchaseId"] for _ in range(3)]

    purchases = api.user().get("/credits/purchases").get_json()

    assert [purchase["id"] for purchase in purchases] == ids[::-1]
    assert purchases[0] == api.user().get(f"/credits/purchase/{ids[2]}").get_json()


def test_no_answer_of_a_purchase_is_larger_than_it_must_be(api: Api, starter: Offer) -> None:
    body = accepted(api.user().post(PURCHASE, starter.body))

    assert len(json.dumps(body)) < 300
