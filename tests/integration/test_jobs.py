"""Jobs: recorded once, started by one, ended in one commit with their effect."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import text

from domain.errors import InsufficientCredits, JobStateRefused, KeyReused, NotFound
from domain.ids import new_id
from domain.operations import jobs
from domain.operations.job_repair import retry_job
from domain.rules.job_kinds import ACTIVATE, CHARGE_RECURRING, EXPIRE_GIFTS, PRUNE, RESUME, STRIPE_EVENT, STRIPE_OBJECT
from domain.rules.job_payloads import ActivateSync, Expired, ResumeSync, StripeEvent, StripeObject
from domain.rules.job_search import JobFilter
from domain.rules.jobs import STARTS_MAX, AnyKind, Job, JobState, NewJob, NoPayload, Payload, Queue, Result
from domain.rules.sync import Interval
from domain.store import Database, Store, balances, job_search
from domain.store import jobs as job_rows
from domain.units import UserId
from tests.support.jobs import started
from tests.support.times import NOW
from tests.support.worker import worker
from workers.jobs import run_job

NOTHING: Final = NoPayload()


def recorded(
    database: Database, key: str = "job-1", *, kind: AnyKind = EXPIRE_GIFTS, payload: Payload = NOTHING, **facts: Any
) -> Job:
    with database.begin() as store:
        return jobs.record(store, NewJob(kind=kind, key=key, concerns=UserId("anna"), payload=payload, **facts)).job


def now(database: Database, job: Job) -> Job:
    with database.single() as store:
        return job_rows.get(store, job.id, owner=None)


def run_sql(database: Database, sql: str, **values: Any) -> None:
    with database.begin() as store:
        store.run(text(sql), values)


def lease_runs_out(database: Database, job: Job) -> None:
    run_sql(database, "UPDATE jobs.jobs SET leased_until = now() - interval '1 s' WHERE id = :id", id=job.id)


def end_well(_store: Store) -> Result:
    return Expired(expired=42)


def failure(*, final: bool = False) -> jobs.Failure:
    return jobs.Failure(worker="here:1", error_class="TimeoutError", message="slow", traceback="…", final=final)


def test_one_key_records_one_job(database: Database) -> None:
    first = recorded(database)

    with database.begin() as store:
        again = jobs.record(store, NewJob(kind=PRUNE, key="job-1", payload=NoPayload()))

    assert (again.replayed, again.job.id) == (True, first.id)


def test_a_key_with_another_request_is_refused(database: Database) -> None:
    recorded(database, request_hash=b"one")

    with pytest.raises(KeyReused):
        recorded(database, request_hash=b"two")


def test_a_job_is_started_by_one_worker_at_a_time(database: Database) -> None:
    job = recorded(database)
    started(database, job)

    with database.begin() as store:
        assert jobs.start(store, job.id, token=new_id()) is None


def test_effect_and_end_of_a_job_are_one_commit(database: Database) -> None:
    job = started(database, recorded(database))

    def effect_then_crash(store: Store) -> Result:
        balances.open_balance(store, UserId("anna"), now=NOW)
        raise ConnectionError

    with pytest.raises(ConnectionError), database.begin() as store:
        jobs.finish(store, job, effect_then_crash)

    with database.single() as store:
        assert store.run(text("SELECT count(*) FROM credits.balances")).scalar() == 0
    assert now(database, job).state is JobState.PENDING


def test_a_late_worker_whose_lease_went_to_another_writes_nothing(database: Database) -> None:
    late = started(database, recorded(database))
    lease_runs_out(database, late)
    other = started(database, late)

    with database.begin() as store:
        assert not jobs.finish(store, late, end_well)
        jobs.fail(store, late, failure())
        jobs.reject(store, late, InsufficientCredits(required=2, available=1))
    with database.begin() as store:
        assert jobs.finish(store, other, end_well)

    assert (now(database, late).state, now(database, late).result) == (JobState.DONE, {"expired": 42})


def test_a_refusal_ends_a_job_rejected_with_its_facts(database: Database) -> None:
    job = started(database, recorded(database))

    with database.begin() as store:
        jobs.reject(store, job, InsufficientCredits(required=2, available=1))

    ended = now(database, job)
    assert ended.state is JobState.REJECTED
    assert ended.problem == {
        "code": "insufficient_credits",
        "title": "Insufficient credits",
        "detail": "Insufficient credits",
        "details": {"required": 2, "available": 1},
    }


def test_a_failed_attempt_is_recorded_and_the_job_rests_before_the_next(database: Database) -> None:
    job = started(database, recorded(database))

    with database.begin() as store:
        jobs.fail(store, job, failure())

    with database.begin() as store:
        assert jobs.start(store, job.id, token=new_id()) is None
        attempts = store.run(text("SELECT error_class, message, worker FROM jobs.attempts")).all()
    assert attempts == [("TimeoutError", "slow", "here:1")]
    assert (now(database, job).state, now(database, job).attempts) == (JobState.PENDING, 1)


@pytest.mark.parametrize(
    ("kind", "payload", "attempts"),
    [
        (EXPIRE_GIFTS, NOTHING, 8),
        (STRIPE_EVENT, StripeEvent(event={}), 24),
        (STRIPE_OBJECT, StripeObject(stream="refund", id="re_1"), 24),
    ],
    ids=["within the database", "a Stripe event", "a Stripe object"],
)
def test_a_job_fails_when_its_attempts_are_used_up(
    database: Database, kind: AnyKind, payload: Payload, attempts: int
) -> None:
    job = recorded(database, kind=kind, payload=payload)

    for _ in range(attempts):
        assert now(database, job).state is JobState.PENDING
        run_sql(database, "UPDATE jobs.jobs SET next_at = now() WHERE id = :id", id=job.id)
        running = started(database, job)
        with database.begin() as store:
            jobs.fail(store, running, failure())

    assert (now(database, job).state, now(database, job).attempts) == (JobState.FAILED, attempts)


def test_a_final_error_fails_a_job_at_once(database: Database) -> None:
    job = started(database, recorded(database))

    with database.begin() as store:
        jobs.fail(store, job, failure(final=True))

    assert now(database, job).state is JobState.FAILED


def test_a_job_that_kills_its_worker_is_parked_after_five_starts(database: Database) -> None:
    job = recorded(database)

    for _ in range(STARTS_MAX):
        lease_runs_out(database, started(database, job))
    with database.begin() as store:
        assert jobs.start(store, job.id, token=new_id()) is None

    ended = now(database, job)
    assert ended.state is JobState.FAILED
    assert ended.problem is not None
    assert ended.problem["code"] == "job_killed_worker"


def test_a_rejected_job_runs_again_when_its_key_is_repeated(database: Database) -> None:
    job = started(database, recorded(database))
    with database.begin() as store:
        jobs.reject(store, job, InsufficientCredits(required=2, available=1))

    again = recorded(database)

    assert (again.id, again.state, again.problem, again.starts) == (job.id, JobState.PENDING, None, 0)


def test_a_done_job_never_runs_again(database: Database, database_url: str) -> None:
    job = started(database, recorded(database))
    with database.begin() as store:
        jobs.finish(store, job, end_well)

    with pytest.raises(JobStateRefused), database.begin() as store:
        retry_job(store, job.id, who="ops", why="", now=datetime.now(UTC))
    with psycopg.connect(database_url) as connection, pytest.raises(psycopg.errors.IntegrityError):
        connection.execute("UPDATE jobs.jobs SET state = 'pending', finished_at = NULL")


def test_a_job_is_hidden_from_other_users(database: Database) -> None:
    job = recorded(database)

    with database.single() as store:
        assert job_rows.get(store, job.id, owner=UserId("anna")).id == job.id
        with pytest.raises(NotFound):
            job_rows.get(store, job.id, owner=UserId("ben"))
        with pytest.raises(NotFound):
            job_rows.get(store, uuid4(), owner=None)


def test_the_sweeper_takes_due_jobs_that_nobody_started(database: Database) -> None:
    silent = recorded(database, "silent")
    leased = started(database, recorded(database, "leased"))
    recorded(database, "just rung")
    run_sql(
        database,
        "UPDATE jobs.jobs SET enqueued_at = now() - interval '6 s', next_at = now() - interval '6 s' "
        "WHERE key IN ('silent', 'leased')",
    )

    with database.begin() as store:
        taken = jobs.take_silent(store, most=10)
        again = jobs.take_silent(store, most=10)

    assert (taken, again) == ({Queue.DEFAULT: [silent.id]}, {})
    lease_runs_out(database, leased)
    with database.begin() as store:
        assert jobs.take_silent(store, most=10) == {Queue.DEFAULT: [leased.id]}


def test_old_jobs_are_pruned_and_young_ones_stay(database: Database) -> None:
    for key, state, age in [
        ("old done", "done", timedelta(days=31)),
        ("young done", "done", timedelta(days=29)),
        ("old rejected", "rejected", timedelta(days=31)),
        ("young rejected", "rejected", timedelta(days=29)),
        ("old failed", "failed", timedelta(days=181)),
        ("young failed", "failed", timedelta(days=31)),
    ]:
        recorded(database, key)
        run_sql(
            database,
            "UPDATE jobs.jobs SET state = :state, problem = '{}', finished_at = now() - :age WHERE key = :key",
            state=state,
            age=age,
            key=key,
        )

    with database.begin() as store:
        assert jobs.prune(store) == 3

    with database.single() as store:
        young = {"young done", "young rejected", "young failed"}
        assert set(store.run(text("SELECT key FROM jobs.jobs")).scalars()) == young


# ---------------------------------------------------------------- payloads and results


def test_a_payload_that_earlier_code_has_written_is_read(database: Database) -> None:
    job = recorded(database, kind=ACTIVATE, payload=ActivateSync(user_id=UserId("anna"), interval=Interval.MONTHLY))
    run_sql(database, """UPDATE jobs.jobs SET payload = '{"interval": "yearly", "colour": "red"}'""")

    payload = ACTIVATE.read_payload(now(database, job))

    assert payload == ActivateSync(user_id=UserId("anna"), interval=Interval.YEARLY)


@pytest.mark.parametrize("payload", ["{}", '{"interval": "weekly"}', '{"interval": 7}'])
def test_a_payload_that_cannot_be_read_parks_the_job(database: Database, payload: str) -> None:
    job = recorded(database, kind=ACTIVATE, payload=ActivateSync(user_id=UserId("anna"), interval=Interval.MONTHLY))
    run_sql(database, "UPDATE jobs.jobs SET payload = CAST(:payload AS jsonb)", payload=payload)

    run_job(job.id, worker(database))

    assert (now(database, job).state, now(database, job).attempts) == (JobState.FAILED, 1)


def test_a_job_without_the_user_it_acts_for_is_parked(database: Database) -> None:
    job = recorded(database, kind=RESUME, payload=ResumeSync(user_id=UserId("anna")))
    run_sql(database, "UPDATE jobs.jobs SET user_id = NULL")

    run_job(job.id, worker(database))

    assert (now(database, job).state, now(database, job).attempts) == (JobState.FAILED, 1)


def test_a_job_stored_under_an_earlier_name_of_its_kind_is_found_and_done(database: Database) -> None:
    job = recorded(database, kind=CHARGE_RECURRING)
    run_sql(database, "UPDATE jobs.jobs SET kind = 'charge_recurring'")

    with database.read() as reader:
        matches = job_search.find(reader, JobFilter(kind=CHARGE_RECURRING.name), limit=10)
        same_matches = job_search.find(reader, JobFilter(kind="charge_recurring"), limit=10)  # as an old row says
    run_job(job.id, worker(database))

    assert [match.job.id for match in matches] == [match.job.id for match in same_matches] == [job.id]
    done = now(database, job)
    assert (done.kind, done.state) == (CHARGE_RECURRING, JobState.DONE)
    assert CHARGE_RECURRING.read_result(done).total == 0


def test_a_job_of_a_kind_that_this_release_does_not_know_is_left_alone(database: Database) -> None:
    job = recorded(database)
    run_sql(database, "UPDATE jobs.jobs SET kind = 'of-next-year'")

    run_job(job.id, worker(database))

    run_sql(database, "UPDATE jobs.jobs SET kind = 'expire-gifts'")
    assert (now(database, job).state, now(database, job).starts) == (JobState.PENDING, 0)
