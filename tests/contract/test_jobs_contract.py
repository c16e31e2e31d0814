"""Golden examples: following a job, and what operators see of jobs and do with them."""

from typing import Any
from uuid import UUID

import pytest

from domain.errors import InsufficientCredits
from domain.operations import jobs
from domain.rules.job_kinds import AUDIT, REDEEM_PENDING
from domain.rules.job_payloads import PendingGiftsRedeemed, RedeemPendingGifts
from domain.rules.jobs import Job, JobState, NewJob
from domain.store import Database, job_execution
from domain.units import Credits, UserId
from tests.support.forms import CURSOR, ID, TIME, insufficient_credits, problem, status_and_body
from tests.support.http import Caller
from tests.support.jobs import failed_job, started

INSUFFICIENT = insufficient_credits(required=30, available=5)
FAILED: dict[str, Any] = {
    "type": "urn:mana-credits:problem:job_failed",
    "title": "Job failed",
    "status": 503,
    "detail": "It cannot be done as it was asked for",
    "code": "job_failed",
    "statusCode": 503,
    "message": "It cannot be done as it was asked for",
}
PENDING = {
    "jobId": ID,
    "kind": "redeem-pending",
    "status": "pending",
    "result": None,
    "problem": None,
    "attempts": 0,
    "createdAt": TIME,
    "finishedAt": None,
}
ENDED = {"finishedAt": TIME}
ADMIN_JOB = {
    "jobId": ID,
    "kind": "prune",
    "queue": "default",
    "key": "prune:1",
    "userId": "anna",
    "status": "failed",
    "attempts": 1,
    "starts": 0,
    "error": "RetryableError",
    "message": "Stripe: down (status 500)",
    "problem": FAILED,
    "createdAt": TIME,
    "finishedAt": TIME,
}
SHEET = ADMIN_JOB | {
    "payload": {"paymentIntentId": "pi_1", "client_secret": "…"},
    "result": None,
    "tries": [
        {
            "worker": "here:1",
            "errorClass": "RetryableError",
            "message": "Stripe: down (status 500)",
            "traceback": "Traceback: in line 7",
            "failedAt": TIME,
        }
    ],
    "transactions": [],
    "stripeIds": ["pi_1"],
    "acts": [],
}
GROUP = {
    "kind": "prune",
    "state": "failed",
    "error": "RetryableError",
    "message": "Stripe: down (status …)",
    "count": 1,
    "firstAt": TIME,
    "lastAt": TIME,
}


@pytest.fixture
def job(database: Database) -> Job:
    """A job of anna's, not started."""
    with database.begin() as store:
        return jobs.record(
            store,
            NewJob(kind=REDEEM_PENDING, key="job-1", payload=RedeemPendingGifts(user_id=UserId("anna"), gift_ids=())),
        ).job


@pytest.fixture
def failed(database: Database) -> UUID:
    payload = {"paymentIntentId": "pi_1", "client_secret": "pi_1_secret_1"}
    return failed_job(database, key="prune:1", payload=payload)


def test_following_a_job_that_waits(anna: Caller, mana_auth: Caller, job: Job) -> None:
    for caller in (anna, mana_auth):
        assert status_and_body(caller.get(f"/jobs/{job.id}")) == (200, PENDING)


def test_following_a_job_that_is_done(database: Database, anna: Caller, job: Job) -> None:
    running = started(database, job)
    with database.begin() as store:
        jobs.finish(store, running, lambda _store: PendingGiftsRedeemed(redeemed=1, total_credits=Credits(50)))

    done = PENDING | ENDED | {"status": "done", "result": {"redeemed": 1, "totalCredits": 50}}
    assert status_and_body(anna.get(f"/jobs/{job.id}")) == (200, done)


def test_following_a_job_that_was_rejected(database: Database, anna: Caller, job: Job) -> None:
    running = started(database, job)
    with database.begin() as store:
        jobs.reject(store, running, InsufficientCredits(required=30, available=5))

    rejected = PENDING | ENDED | {"status": "rejected", "problem": INSUFFICIENT}
    assert status_and_body(anna.get(f"/jobs/{job.id}")) == (200, rejected)


def test_following_a_job_that_failed(database: Database, anna: Caller, job: Job) -> None:
    running = started(database, job)
    failure = jobs.Failure(worker="here:1", error_class="FinalError", message="Secret", traceback="…", final=True)
    with database.begin() as store:
        jobs.fail(store, running, failure)

    ended = PENDING | ENDED | {"status": "failed", "problem": FAILED, "attempts": 1}
    assert status_and_body(anna.get(f"/jobs/{job.id}")) == (200, ended)


def test_following_a_job_that_was_discarded(database: Database, anna: Caller, job: Job) -> None:
    with database.begin() as store:
        job_execution.end(store, job.id, JobState.DISCARDED)

    assert status_and_body(anna.get(f"/jobs/{job.id}")) == (200, PENDING | ENDED | {"status": "discarded"})


def test_jobs_found_by_an_operator(admin: Caller, database: Database, failed: UUID) -> None:
    failed_job(database, kind=AUDIT, user_id="ben", error="KeyError")
    query = "state=failed&kind=prune&userId=anna&error=RetryableError&olderThan=0s&limit=1"

    answer = admin.get(f"/admin/jobs?{query}")

    path, _, cursor = answer.headers["Link"].removesuffix('>; rel="next"').partition("&cursor=")
    assert status_and_body(answer) == (200, [ADMIN_JOB | {"jobId": str(failed)}])
    assert path == f"</api/v1/admin/jobs?{query}"
    assert cursor == CURSOR
    assert status_and_body(admin.get(f"/admin/jobs?{query}&cursor={cursor}")) == (200, [])


def group_of(failed: UUID, answer: Any) -> dict[str, Any]:
    """Write the group of the failed job, in the hour in which it ended."""
    hour = f"{answer[0]['firstAt'][:13]}:00:00.000Z"
    return GROUP | {"hours": {hour: 1}, "sample": str(failed)}


def test_the_causes_of_failures(admin: Caller, failed: UUID) -> None:
    answer = admin.get("/admin/jobs/groups")

    assert status_and_body(answer) == (200, [group_of(failed, answer.get_json())])


def test_everything_about_a_job(admin: Caller, failed: UUID) -> None:
    assert status_and_body(admin.get(f"/admin/jobs/{failed}")) == (200, SHEET)


def test_retrying_a_job(admin: Caller, failed: UUID) -> None:
    act = {"act": "retry", "who": "olga", "why": "Stripe is back", "at": TIME, "runId": None}
    again = {"status": "pending", "attempts": 0, "starts": 0, "problem": None, "finishedAt": None, "acts": [act]}

    assert status_and_body(admin.post(f"/admin/jobs/{failed}/retry", {"reason": "Stripe is back"})) == (
        200,
        SHEET | again,
    )


def test_discarding_a_job(admin: Caller, failed: UUID) -> None:
    act = {"act": "discard", "who": "olga", "why": "A test", "at": TIME, "runId": None}
    path = f"/admin/jobs/{failed}/discard"

    assert status_and_body(admin.post(path, {"reason": "A test"})) == (
        200,
        SHEET | {"status": "discarded", "acts": [act]},
    )
    detail = "The job is discarded; only failed and rejected jobs can be discarded"
    assert status_and_body(admin.post(path, {"reason": "Again"})) == problem(400, "job_state", "Job state", detail)


def test_retrying_all_that_match(admin: Caller, failed: UUID) -> None:
    body = {"filter": {"state": "failed", "kind": "prune", "error": "RetryableError"}, "reason": "Stripe is back"}

    counted = admin.post("/admin/jobs/retry", body | {"dryRun": True})
    answer = admin.post("/admin/jobs/retry", body)

    groups = [group_of(failed, counted.get_json()["groups"])]
    nothing_done = {"dryRun": True, "matched": 1, "groups": groups, "jobId": None, "statusUrl": None}
    run = answer.get_json()["statusUrl"]
    assert status_and_body(counted) == (200, nothing_done)
    assert status_and_body(answer) == (202, nothing_done | {"dryRun": False, "jobId": ID, "statusUrl": run})
    assert run == f"/api/v1/jobs/{answer.get_json()['jobId']}"
    assert (answer.headers["Location"], answer.headers["Retry-After"]) == (run, "1")
