"""The operators' REST interface: who may, what is told, what is written down."""

import json
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text

from domain.rules.job_kinds import STRIPE_EVENT
from domain.store import Database
from tests.support.http import API, Api, Caller, problem_of
from tests.support.jobs import ended_jobs, failed_job, state_of

UNKNOWN = "019aa5d0-0000-7000-8000-000000000000"


@pytest.fixture
def admin(api: Api) -> Caller:
    return api.user("olga", role="admin")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/admin/jobs"),
        ("GET", "/admin/jobs/groups"),
        ("GET", f"/admin/jobs/{UNKNOWN}"),
        ("POST", f"/admin/jobs/{UNKNOWN}/retry"),
        ("POST", f"/admin/jobs/{UNKNOWN}/discard"),
        ("POST", "/admin/jobs/retry"),
    ],
)
def test_only_admins_may_see_or_touch_jobs(api: Api, method: str, path: str) -> None:
    problem_of(api.user().call(method, path), 403, "forbidden")
    problem_of(api.nobody().call(method, path), 401, "unauthorized")
    problem_of(api.service().call(method, path), 401, "unauthorized")


def test_jobs_are_listed_page_by_page_with_their_filter(admin: Caller, database: Database) -> None:
    job_ids = {str(failed_job(database)) for _ in range(5)}
    ended_jobs(database, 3)

    seen, path = [], "/admin/jobs?state=failed&limit=2"
    for _ in range(3):
        answer = admin.get(path)
        seen += [job["jobId"] for job in answer.get_json()]
        link = answer.headers.get("Link", "<>")
        path = link[1 : link.index(">")].removeprefix(API)

    assert len(seen) == 5
    assert set(seen) == job_ids
    assert path == ""


def test_the_link_to_the_next_page_keeps_the_filter(admin: Caller, database: Database) -> None:
    for _ in range(2):
        failed_job(database, error="KeyError")

    link = admin.get("/admin/jobs?error=KeyError&olderThan=0s&limit=1").headers["Link"]

    assert "error=KeyError&olderThan=0s&limit=1&cursor=" in urlsplit(link[1:]).query


@pytest.mark.parametrize(
    "query",
    [
        "state=lost",
        "kind=x",
        "olderThan=5",
        "olderThan=-1d",
        "olderThan=9999999d",
        "limit=0",
        "cursor=!!",
        "userId=",
        "offset=1",
        "text=%00",
        "cursor=YWJj",
    ],
)
def test_a_query_that_cannot_be_meant_is_refused(admin: Caller, query: str) -> None:
    problem_of(admin.get(f"/admin/jobs?{query}"), 400, "validation_error")


def test_a_job_is_shown_with_its_attempts_and_without_secrets(admin: Caller, database: Database) -> None:
    event = {"id": "evt_1", "data": {"object": {"id": "pi_1", "client_secret": "pi_1_secret_2"}}}
    job_id = failed_job(database, kind=STRIPE_EVENT, payload={"event": event}, user_id=None)

    sheet = admin.get(f"/admin/jobs/{job_id}").get_json()

    assert (sheet["status"], sheet["error"], sheet["message"]) == (
        "failed",
        "RetryableError",
        "Stripe: down (status 500)",
    )
    assert sheet["tries"][0]["traceback"] == "Traceback: in line 7"
    assert sheet["stripeIds"] == ["evt_1", "pi_1"]
    assert sheet["payload"]["event"]["data"]["object"]["client_secret"] == "…"
    assert "pi_1_secret_2" not in json.dumps(sheet)


def test_a_job_is_retried_with_a_reason(admin: Caller, database: Database) -> None:
    job_id = failed_job(database)

    job = admin.post(f"/admin/jobs/{job_id}/retry", {"reason": "Stripe is back"}).get_json()

    assert job["status"] == "pending"
    assert [(act["act"], act["who"], act["why"]) for act in job["acts"]] == [("retry", "olga", "Stripe is back")]


def test_a_retry_needs_no_body(admin: Caller, database: Database) -> None:
    assert admin.call("POST", f"/admin/jobs/{failed_job(database)}/retry").status_code == 200


def test_discarding_needs_a_reason(admin: Caller, database: Database) -> None:
    job_id = failed_job(database)

    problem_of(admin.post(f"/admin/jobs/{job_id}/discard", {}), 400)
    problem_of(admin.post(f"/admin/jobs/{job_id}/discard", {"reason": ""}), 400)
    assert admin.post(f"/admin/jobs/{job_id}/discard", {"reason": "A test"}).get_json()["status"] == "discarded"
    problem_of(admin.post(f"/admin/jobs/{job_id}/discard", {"reason": "Again"}), 400, "job_state")
    problem_of(admin.call("POST", f"/admin/jobs/{job_id}/retry"), 400, "job_state")


def test_a_job_that_is_not_there_is_not_found(admin: Caller) -> None:
    problem_of(admin.get(f"/admin/jobs/{UNKNOWN}"), 404, "not_found")
    problem_of(admin.call("POST", f"/admin/jobs/{UNKNOWN}/retry"), 404, "not_found")
    problem_of(admin.get("/admin/jobs/7"), 404)


def test_a_dry_run_counts_and_changes_nothing(admin: Caller, database: Database) -> None:
    job_ids = [failed_job(database, error=error) for error in ("KeyError", "KeyError", "Parked")]

    answer = admin.post("/admin/jobs/retry", {"filter": {"error": "KeyError"}, "dryRun": True})

    body = answer.get_json()
    assert (answer.status_code, body["matched"], body["jobId"]) == (200, 2, None)
    assert [(group["error"], group["count"]) for group in body["groups"]] == [("KeyError", 2)]
    assert {state_of(database, job_id) for job_id in job_ids} == {"failed"}


def test_a_retry_of_many_is_recorded_as_a_job_of_its_own(admin: Caller, database: Database) -> None:
    failed_job(database)

    answer = admin.post("/admin/jobs/retry", {"filter": {}, "reason": "Stripe is back"})

    body = answer.get_json()
    assert (answer.status_code, body["matched"]) == (202, 1)
    assert answer.headers["Location"] == body["statusUrl"] == f"{API}/jobs/{body['jobId']}"
    with database.single() as store:
        act = store.run(text("SELECT act, who, why FROM jobs.acts")).one()
    assert tuple(act) == ("retry-all", "olga", "Stripe is back")


def test_a_retry_of_done_jobs_is_refused(admin: Caller) -> None:
    problem_of(admin.post("/admin/jobs/retry", {"filter": {"state": "done"}}), 400, "job_state")
    problem_of(admin.post("/admin/jobs/retry", {"filter": {"stat": "failed"}}), 400)
    problem_of(admin.post("/admin/jobs/retry", {}), 400)


def test_groups_show_each_cause_once(admin: Caller, database: Database) -> None:
    for error in ("KeyError", "KeyError", "Parked"):
        failed_job(database, error=error)

    groups = admin.get("/admin/jobs/groups").get_json()

    assert [(group["error"], group["count"]) for group in groups] == [("KeyError", 2), ("Parked", 1)]
