"""Following a job that was accepted with 202."""

import re
from typing import Any, Final

import pytest
from psycopg.types.json import Jsonb

from domain.errors import InsufficientCredits
from domain.ids import new_id
from domain.operations import jobs
from domain.rules.job_kinds import AUDIT, PRUNE, PURCHASE
from domain.rules.job_payloads import OpenPayment, PaymentOpened, Pruned
from domain.rules.jobs import Job, JobState, NewJob, NoPayload, stored_result
from domain.store import Database, job_execution
from domain.units import Credits, EuroCents, UserId
from tests.support.forms import insufficient_credits
from tests.support.http import INSTANT_TEXT, Api, problem_of
from tests.support.jobs import started


@pytest.fixture
def job(database: Database) -> Job:
    """A job of anna's, not started."""
    with database.begin() as store:
        return jobs.record(store, NewJob(kind=PRUNE, key="job-1", concerns=UserId("anna"), payload=NoPayload())).job


def job_body(api: Api, job: Job) -> dict[str, Any]:
    answer = api.user().get(f"/jobs/{job.id}")
    assert answer.status_code == 200
    body: dict[str, Any] = answer.get_json()
    assert re.fullmatch(INSTANT_TEXT, body.pop("createdAt"))
    finished_at = body.pop("finishedAt")
    assert (finished_at is None) == (body["status"] == "pending")
    assert finished_at is None or re.fullmatch(INSTANT_TEXT, finished_at)
    return body


def failure(*, final: bool) -> jobs.Failure:
    return jobs.Failure(
        worker="here:1", error_class="FinalError", message="Stripe refused", traceback="secret frames", final=final
    )


PENDING: Final = {"kind": "prune", "status": "pending", "result": None, "problem": None, "attempts": 0}


def test_a_pending_job_is_told_to_its_owner(api: Api, job: Job) -> None:
    assert job_body(api, job) == {"jobId": str(job.id), **PENDING}


def test_a_started_job_is_still_pending(api: Api, database: Database, job: Job) -> None:
    started(database, job)

    assert job_body(api, job) == {"jobId": str(job.id), **PENDING}


def test_a_done_job_tells_its_result(api: Api, database: Database, job: Job) -> None:
    running = started(database, job)
    with database.begin() as store:
        jobs.finish(store, running, lambda _store: Pruned(deleted=42))

    assert job_body(api, job) == {"jobId": str(job.id), **PENDING, "status": "done", "result": {"deleted": 42}}


def test_a_rejected_job_tells_a_whole_problem(api: Api, database: Database, job: Job) -> None:
    running = started(database, job)
    with database.begin() as store:
        jobs.reject(store, running, InsufficientCredits(required=30, available=5))

    assert job_body(api, job) == {
        "jobId": str(job.id),
        **PENDING,
        "status": "rejected",
        "problem": insufficient_credits(required=30, available=5),
    }


def test_a_job_that_failed_once_is_pending_and_tells_the_attempt(api: Api, database: Database, job: Job) -> None:
    running = started(database, job)
    with database.begin() as store:
        jobs.fail(store, running, failure(final=False))

    assert job_body(api, job) == {"jobId": str(job.id), **PENDING, "attempts": 1}


def test_a_failed_job_tells_a_problem_and_no_internals(api: Api, database: Database, job: Job) -> None:
    running = started(database, job)
    with database.begin() as store:
        jobs.fail(store, running, failure(final=True))

    body = job_body(api, job)

    assert (body["status"], body["attempts"]) == ("failed", 1)
    assert (body["problem"]["code"], body["problem"]["status"]) == ("job_failed", 503)
    assert "secret frames" not in str(body)


def test_a_discarded_job_is_told_as_such(api: Api, database: Database, job: Job) -> None:
    with database.begin() as store:
        job_execution.end(store, job.id, JobState.DISCARDED)

    assert job_body(api, job) == {"jobId": str(job.id), **PENDING, "status": "discarded"}


def test_a_job_of_another_user_is_not_found(api: Api, job: Job) -> None:
    problem_of(api.user("ben").get(f"/jobs/{job.id}"), 404, "not_found")


def test_a_job_of_nobody_is_not_found_by_users(api: Api, database: Database) -> None:
    with database.begin() as store:
        audit = jobs.record(store, NewJob(kind=AUDIT, key="audit:now", payload=NoPayload())).job

    problem_of(api.user().get(f"/jobs/{audit.id}"), 404, "not_found")
    assert api.service().get(f"/jobs/{audit.id}").status_code == 200


def test_a_service_and_an_admin_see_any_job(api: Api, job: Job) -> None:
    for caller in (api.service(), api.service("previous-key"), api.user("root", role="admin")):
        assert caller.get(f"/jobs/{job.id}").get_json()["jobId"] == str(job.id)


def test_what_lets_somebody_pay_is_shown_to_the_buyer_alone(api: Api, database: Database) -> None:
    purchase_id = new_id()
    payload = OpenPayment(user_id=UserId("anna"), purchase_id=purchase_id)
    opened = PaymentOpened(
        purchase_id=purchase_id,
        client_secret="pi_1_secret_2",
        amount=EuroCents(499),
        credits=Credits(500),
        checkout_url="https://checkout.example/pay",
    )
    with database.begin() as store:
        job = jobs.record(store, NewJob(kind=PURCHASE, key="purchase:1", payload=payload)).job
        # Done by hand: the books have no such purchase.
        store.execute(
            "UPDATE jobs.jobs SET state = 'done', finished_at = now(), kind = 'prune', result = %(result)s"
            " WHERE id = %(id)s",
            {"id": job.id, "result": Jsonb(stored_result(opened))},
        )

    own = api.user().get(f"/jobs/{job.id}").get_json()["result"]

    assert (own["clientSecret"], own["checkoutUrl"]) == ("pi_1_secret_2", "https://checkout.example/pay")
    for caller in (api.service(), api.user("root", role="admin")):
        shown = caller.get(f"/jobs/{job.id}").get_json()["result"]
        assert shown == {**own, "clientSecret": "…", "checkoutUrl": "…"}


def test_a_job_that_is_not_there_is_not_found(api: Api) -> None:
    for caller in (api.service(), api.user()):
        problem_of(caller.get("/jobs/019aa5d0-0000-7000-8000-000000000000"), 404, "not_found")


def test_nobody_sees_no_job(api: Api, job: Job) -> None:
    problem_of(api.nobody().get(f"/jobs/{job.id}"), 401, "unauthorized")
