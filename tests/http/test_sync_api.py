"""Cloud Sync over HTTP."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from domain.store import Database
from tests.support.credits import give
from tests.support.issuer import Issuer
from tests.support.jobs import do, pending
from tests.support.sync import charges, state, subscribe
from tests.support.worker import worker

SERVICE = {"X-Service-Key": "service-key"}

Ask = Callable[..., Any]
"""Calls the API and gives its answer; `json` of a `TestResponse` may be `None` to the type checker."""


@pytest.fixture
def ask(client: FlaskClient, issuer: Issuer) -> Ask:
    """Call as anna, or as whoever `user` names."""

    def call(method: str, path: str, body: Any = None, *, user: str = "anna", **headers: str) -> TestResponse:
        claims = {"role": "admin"} if user == "admin" else {}
        token = {"Authorization": f"Bearer {issuer.token(user, **claims)}"}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.open(f"/api/v1{path}", method=method, json=body, headers=token | named)

    return call


def activated(ask: Ask, database: Database, url: str, **headers: str) -> Any:
    """Activate, with a worker that does the job, and ask again for what came of it."""
    accepted = ask("POST", "/sync/activate", {}, **headers)
    do(worker(database), pending(url, "activate"))
    return ask("GET", f"/jobs/{accepted.json['jobId']}") if accepted.status_code == 202 else accepted


def test_a_user_without_a_subscription_has_a_monthly_inactive_one(ask: Ask) -> None:
    answer = ask("GET", "/sync/status")

    assert answer.json == {
        "active": False,
        "interval": "monthly",
        "nextChargeAt": None,
        "pausedAt": None,
        "gifted": False,
        "autoResume": False,
        "nextCharge": None,
    }


def test_activation_is_accepted_and_done_by_a_worker(ask: Ask, database: Database, database_url: str) -> None:
    give(database, "anna", 59)

    job = activated(ask, database, database_url).json

    assert job is not None
    assert (job["status"], job["result"]["amountCharged"]) == ("done", 30)
    status = ask("GET", "/sync/status").json
    assert status["active"] is True
    assert status["nextCharge"] == {"at": status["nextChargeAt"], "amount": 30, "covered": False}
    assert ask("POST", "/sync/activate", {}).json["message"] == "Sync is already active"


def test_activation_takes_an_idempotency_key(ask: Ask, database: Database, database_url: str) -> None:
    give(database, "anna", 100)
    activated(ask, database, database_url, Idempotency_Key="k")

    again = ask("POST", "/sync/activate", {}, Idempotency_Key="k")
    other = ask("POST", "/sync/activate", {"interval": "yearly"}, Idempotency_Key="k")

    assert (again.status_code, again.json["amountCharged"], again.headers["Idempotency-Replayed"]) == (200, 30, "true")
    assert other.status_code == 422
    assert charges(database_url) == {"anna": 1}


def test_a_key_that_met_too_few_credits_succeeds_after_a_top_up(
    ask: Ask, database: Database, database_url: str
) -> None:
    refused = activated(ask, database, database_url, Idempotency_Key="k").json
    give(database, "anna", 30)

    done = activated(ask, database, database_url, Idempotency_Key="k").json

    assert refused["problem"]["status"] == 402
    assert refused["problem"]["details"] == {"required": 30, "available": 0}
    assert (done["status"], done["jobId"]) == ("done", refused["jobId"])


def test_activation_without_a_body_is_monthly(ask: Ask, database: Database, database_url: str) -> None:
    give(database, "anna", 30)

    ask("POST", "/sync/activate")
    do(worker(database), pending(database_url, "activate"))

    assert charges(database_url) == {"anna": 1}


def test_deactivating_stops_at_once(ask: Ask, database_url: str, database: Database) -> None:
    subscribe(database_url, "anna", due=timedelta(days=3))

    answer = ask("POST", "/sync/deactivate")

    assert (answer.status_code, answer.json) == (200, {"success": True})
    assert state(database_url, "anna") == (False, False, False)
    assert ask("POST", "/sync/deactivate").json["message"] == "Sync is not active"
    assert database is not None


def test_a_new_interval_tells_its_price_and_when_it_begins(ask: Ask, database_url: str) -> None:
    subscribe(database_url, "anna", due=timedelta(days=3))

    answer = ask("POST", "/sync/change-interval", {"interval": "yearly"})

    assert answer.json["amountCharged"] == 360
    assert answer.json["effectiveAt"] == ask("GET", "/sync/status").json["nextChargeAt"]
    assert ask("POST", "/sync/change-interval", {"interval": "yearly"}, user="ben").status_code == 400


def test_auto_resume_is_off_until_it_is_chosen(ask: Ask, database_url: str) -> None:
    assert ask("POST", "/sync/auto-resume", {"enabled": True}).status_code == 404
    subscribe(database_url, "anna")

    answer = ask("POST", "/sync/auto-resume", {"enabled": True})

    assert answer.json == {"success": True, "enabled": True}
    assert ask("GET", "/sync/status").json["autoResume"] is True


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/sync/activate", {"interval": "weekly"}),
        ("/sync/activate", {"interval": None}),
        ("/sync/activate", {"interval": "monthly", "more": 1}),
        ("/sync/activate", []),
        ("/sync/change-interval", {}),
        ("/sync/change-interval", {"interval": "\x00"}),
        ("/sync/auto-resume", {"enabled": "yes"}),
        ("/sync/auto-resume", {"enabled": 1}),
    ],
)
def test_what_is_not_in_the_contract_is_refused(ask: Ask, path: str, body: Any) -> None:
    assert ask("POST", path, body).status_code == 400


def test_a_gift_is_active_and_cannot_be_switched(ask: Ask, database: Database, database_url: str) -> None:
    give(database, "anna", 100)

    granted = ask("POST", "/admin/sync/anna/gift", user="admin")

    assert granted.json == {"success": True, "userId": "anna", "gifted": True, "active": True}
    assert ask("GET", "/sync/status").json["gifted"] is True
    for path, body in (("activate", {}), ("deactivate", None), ("change-interval", {"interval": "yearly"})):
        refused = ask("POST", f"/sync/{path}", body)
        assert (refused.status_code, refused.json["code"]) == (400, "sync_gifted")
    status = ask("GET", "/admin/sync/anna", user="admin").json
    assert (status["giftedBy"], status["nextChargeAt"], status["userId"]) == ("admin", None, "anna")
    assert ask("DELETE", "/admin/sync/anna/gift", user="admin").json["active"] is False
    assert charges(database_url) == {}


def test_revoking_from_who_never_had_sync_is_not_found(ask: Ask) -> None:
    assert ask("DELETE", "/admin/sync/nobody/gift", user="admin").status_code == 404


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", "/gift"), ("DELETE", "/gift")])
def test_only_administrators_give(ask: Ask, client: FlaskClient, method: str, path: str) -> None:
    assert ask(method, f"/admin/sync/anna{path}").status_code == 403
    assert client.open(f"/api/v1/admin/sync/anna{path}", method=method, headers=SERVICE).status_code == 401


def test_the_sync_gate_answers_services_only(client: FlaskClient, database_url: str) -> None:
    subscribe(database_url, "anna", due=timedelta(days=3))

    status = client.get("/api/v1/internal/sync/status/anna", headers=SERVICE).json

    assert status is not None
    assert sorted(status) == ["active", "gifted", "interval", "nextChargeAt", "pausedAt"]
    assert status["active"] is True
    assert client.get("/api/v1/internal/sync/status/anna").status_code == 401


def test_a_run_is_joined_while_it_is_under_way(client: FlaskClient, database: Database, database_url: str) -> None:
    give(database, "anna", 30)
    subscribe(database_url, "anna")
    path = "/api/v1/internal/sync/charge-recurring"

    first: Any = client.post(path, headers=SERVICE)
    second: Any = client.post(path, headers=SERVICE)
    do(worker(database), pending(database_url, "charge-recurring"))
    third: Any = client.post(path, headers=SERVICE)

    assert (first.status_code, second.status_code, third.status_code) == (202, 202, 202)
    assert first.json["jobId"] == second.json["jobId"] != third.json["jobId"]
    job = client.get(first.json["statusUrl"], headers=SERVICE).json
    assert job is not None
    assert job["result"] == {"charged": 1, "paused": 0, "errors": 0, "total": 1}
    assert charges(database_url) == {"anna": 1}


def test_a_run_with_a_key_answers_the_same_again(client: FlaskClient, database: Database, database_url: str) -> None:
    path, key = "/api/v1/internal/sync/charge-recurring", {"Idempotency-Key": "night"}
    client.post(path, headers=SERVICE | key)
    do(worker(database), pending(database_url, "charge-recurring"))

    again = client.post(path, headers=SERVICE | key)

    assert (again.status_code, again.json) == (200, {"charged": 0, "paused": 0, "errors": 0, "total": 0})
    assert again.headers["Idempotency-Replayed"] == "true"
