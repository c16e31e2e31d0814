"""Golden examples: acts that a worker does, answered when it is done in time, with its result or its refusal."""

from collections.abc import Callable
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
from werkzeug.test import TestResponse

from domain.store import Database
from tests.support.credits import give
from tests.support.forms import ID, TIME, problem, status_and_body
from tests.support.gifts import make_gift
from tests.support.http import Api, Caller
from tests.support.jobs import do, waiting_job
from tests.support.sync import subscribe
from tests.support.times import now
from tests.support.worker import worker

Ask = Callable[..., TestResponse]


@pytest.fixture
def ask(database: Database) -> Ask:
    """Post, and do the job while the answer waits for it."""

    def work() -> None:
        do(worker(database), [waiting_job(database)])

    def post(caller: Caller, path: str, body: Any = None, **headers: str) -> TestResponse:
        working = Thread(target=work)
        working.start()
        answer = caller.post(path, body, Prefer="wait=10", **headers)
        working.join()
        assert answer.headers["Preference-Applied"] == "wait=10"
        return answer

    return post


@pytest.fixture
def ben(api: Api) -> Caller:
    return api.user("ben", name="Ben", email="ben@x.de")


def gift_of(anna: Caller, **members: Any) -> str:
    code: str = anna.post("/gifts", {"credits": 50, **members}).get_json()["code"]
    return code


@pytest.mark.parametrize(
    ("body", "interval", "amount"),
    [({}, "monthly", 30), ({"interval": "quarterly"}, "quarterly", 90), ({"interval": "yearly"}, "yearly", 360)],
)
def test_activating_sync(database: Database, anna: Caller, ask: Ask, *, body: Any, interval: str, amount: int) -> None:
    give(database, "anna", 400)

    activated = {
        "success": True,
        "active": True,
        "interval": interval,
        "nextChargeAt": TIME,
        "amountCharged": amount,
    }
    assert status_and_body(ask(anna, "/sync/activate", body)) == (200, activated)


def test_activating_sync_with_too_few_credits_and_again_after_topping_up(
    database: Database, anna: Caller, ask: Ask
) -> None:
    refused = ask(anna, "/sync/activate", {"interval": "monthly"}, Idempotency_Key="s-1")
    give(database, "anna", 30)
    activated = ask(anna, "/sync/activate", {"interval": "monthly"}, Idempotency_Key="s-1")

    details = {"required": 30, "available": 0}
    refusal = problem(
        402, "insufficient_credits", "Insufficient credits", "Insufficient credits", details=details, jobId=ID
    )
    assert status_and_body(refused) == refusal
    assert activated.status_code == 200
    assert "Idempotency-Replayed" not in activated.headers


def test_charging_what_is_due(database: Database, database_url: str, mana_auth: Caller, ask: Ask) -> None:
    give(database, "anna", 30)
    subscribe(database_url, "anna", "ben")

    accepted = mana_auth.post("/internal/sync/charge-recurring")
    job_id = accepted.get_json()["jobId"]
    ask(mana_auth, "/internal/sync/charge-recurring")

    status_url = f"/api/v1/jobs/{job_id}"
    assert status_and_body(accepted) == (202, {"jobId": ID, "status": "pending", "statusUrl": status_url})
    assert status_and_body(mana_auth.get(f"/jobs/{job_id}"))[1]["result"] == {
        "charged": 1,
        "paused": 1,
        "errors": 0,
        "total": 2,
    }


def test_charging_when_nothing_is_due(mana_auth: Caller, ask: Ask) -> None:
    nothing = {"charged": 0, "paused": 0, "errors": 0, "total": 0}

    assert status_and_body(ask(mana_auth, "/internal/sync/charge-recurring")) == (200, nothing)


def test_redeeming_what_waits_for_an_address(database: Database, anna: Caller, mana_auth: Caller, ask: Ask) -> None:
    give(database, "anna", 100)
    gift_of(anna, type="personalized", targetEmail="Friend@X.de")

    answer = ask(mana_auth, "/internal/gifts/redeem-pending", {"userId": "ben", "email": "friend@x.de"})

    assert status_and_body(answer) == (200, {"redeemed": 1, "totalCredits": 50})


def test_redeeming_a_gift_that_is_gone(database: Database, api: Api, anna: Caller, ben: Caller, ask: Ask) -> None:
    give(database, "anna", 100)
    code = gift_of(anna)
    ask(api.user("carl"), f"/gifts/{code}/redeem", {})

    refusal = ("gift_depleted", "Gift already redeemed", "This gift has already been redeemed")
    assert status_and_body(ask(ben, f"/gifts/{code}/redeem", {})) == problem(400, *refusal, jobId=ID)


def test_redeeming_a_gift_that_was_cancelled(database: Database, anna: Caller, ben: Caller, ask: Ask) -> None:
    give(database, "anna", 100)
    code = gift_of(anna)
    anna.call("DELETE", f"/gifts/{anna.get('/gifts/me/created').get_json()[0]['id']}")

    refusal = ("gift_cancelled", "Gift cancelled", "This gift has been cancelled")
    assert status_and_body(ask(ben, f"/gifts/{code}/redeem", {})) == problem(400, *refusal, jobId=ID)


def test_redeeming_a_gift_that_has_expired(database: Database, ben: Caller, ask: Ask) -> None:
    give(database, "anna", 100)
    code = make_gift(database, at=now() - timedelta(days=1, minutes=5), life=timedelta(days=1)).gift.code

    refusal = ("gift_expired", "Gift expired", "This gift has expired")
    assert status_and_body(ask(ben, f"/gifts/{code}/redeem", {})) == problem(400, *refusal, jobId=ID)


def test_redeeming_a_gift_that_is_not_for_this_user(database: Database, anna: Caller, ben: Caller) -> None:
    give(database, "anna", 100)
    own = gift_of(anna)
    for_a_friend = gift_of(anna, type="personalized", targetEmail="friend@x.de")

    assert status_and_body(anna.post(f"/gifts/{own}/redeem", {})) == problem(
        400, "gift_own", "Own gift", "You cannot redeem your own gift; you can cancel it"
    )
    assert status_and_body(ben.post(f"/gifts/{for_a_friend}/redeem", {})) == problem(
        400, "gift_not_for_you", "Gift for someone else", "This gift is meant for another e-mail address"
    )
