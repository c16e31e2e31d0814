"""Operators: find, retry, discard, retry many; and nothing they do moves credits twice."""

from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import text

from domain.errors import JobStateRefused, NotFound
from domain.ids import new_id
from domain.operations import job_repair, jobs
from domain.rules.job_kinds import PRUNE
from domain.rules.job_payloads import Pruned
from domain.rules.job_repair import AHEAD_MAX, RETRIES_PER_SECOND
from domain.rules.job_search import JobFilter
from domain.rules.jobs import Job, JobState
from domain.store import Database, job_search
from domain.store import acts as act_rows
from tests.support.credits import give
from tests.support.jobs import ended_jobs, failed_job, state_of
from tests.support.threads import at_once
from tests.support.times import NOW

WHO: Final[Any] = {"who": "olga", "why": "Stripe is back", "now": NOW}


def run_of(database: Database, filters: JobFilter | None = None) -> Job:
    with database.begin() as store:
        return job_repair.retry_all(store, filters or JobFilter(), **WHO)


def step(database: Database, run: Job) -> job_repair.Step:
    with database.begin() as store:
        return job_repair.retry_some(store, run, now=NOW)


def work_off(database: Database, *, well: bool) -> int:
    """Do every pending job but the runs, as a worker would; returns how many."""
    with database.single() as store:
        sql = "SELECT id FROM jobs.jobs WHERE state = 'pending' AND kind <> 'retry-all' AND next_at <= now()"
        pending = list(store.run(text(sql)).scalars())
    failure = jobs.Failure(worker="w", error_class="RetryableError", message="still down", traceback="…", final=False)
    for job_id in pending:
        with database.begin() as store:
            started = jobs.start(store, job_id, token=new_id())
        assert started is not None
        with database.begin() as store:
            if well:
                jobs.finish(store, started, lambda _store: Pruned(deleted=0))
            else:
                jobs.fail(store, started, failure)
    return len(pending)


def acts_of(database: Database) -> list[tuple[str, str, str]]:
    with database.single() as store:
        return [(act.act.value, act.who, act.why) for act in act_rows.latest(store, limit=50)]


def test_jobs_are_found_by_state_kind_user_error_age_and_text(database: Database) -> None:
    job_id = failed_job(database, error="KeyError", message="'amount'", user_id="ben", payload={"purchaseId": "p-17"})
    failed_job(database)
    ended_jobs(database, 3)

    filters = [
        JobFilter(state=JobState.FAILED, user_id="ben"),  # type: ignore[arg-type]
        JobFilter(kind=PRUNE.name, error="KeyError"),
        JobFilter(text="AMOUNT"),
        JobFilter(text="p-17", older_than_s=0),
    ]
    with database.single() as store:
        matches = [[match.job.id for match in job_search.find(store, query, limit=10)] for query in filters]
        assert job_search.count(store, JobFilter(older_than_s=1_800)) == 3
        assert job_search.count(store, JobFilter(state=JobState.FAILED)) == 2

    assert matches == [[job_id]] * 4


def test_a_list_goes_on_behind_the_last_job_seen(database: Database) -> None:
    job_ids = [failed_job(database) for _ in range(5)]

    with database.single() as store:
        first = job_search.find(store, JobFilter(), limit=3)
        second = job_search.find(store, JobFilter(), limit=3, before=first[-1].job.id)

    assert {match.job.id for match in first} | {match.job.id for match in second} == set(job_ids)
    assert len(second) == 2


def test_failures_of_one_cause_are_one_group_however_their_ids_differ(database: Database) -> None:
    for _ in range(3):
        failed_job(database, error="Parked", message=f"Stripe knows purchase {uuid4()}, which is not here")
    sample = failed_job(database, error="Parked", message="Stripe's payment: amount 475 instead of 500")

    with database.single() as store:
        causes = job_search.causes(store, JobFilter(state=JobState.FAILED))

    assert [(cause.error, cause.count) for cause in causes] == [("Parked", 3), ("Parked", 1)]
    assert causes[0].message == "Stripe knows purchase …, which is not here"
    assert causes[0].text == "Stripe knows purchase"
    assert causes[1].sample == sample
    assert sum(causes[0].hours.values()) == 3


def test_a_job_is_shown_with_its_attempts_ledger_rows_and_acts(database: Database) -> None:
    give(database, "anna", 100)
    with database.begin() as store:
        transaction_id = str(store.run(text("SELECT id FROM credits.transactions")).scalar_one())
    job_id = failed_job(database, payload={"transactionId": transaction_id, "event": {"id": "evt_1"}})
    with database.begin() as store:
        job_repair.retry_job(store, job_id, **WHO)

    with database.single() as store:
        sheet = job_search.sheet(store, job_id)

    assert [attempt.error_class for attempt in sheet.attempts] == ["RetryableError"]
    assert "line 7" in sheet.attempts[0].traceback
    assert [str(transaction.id) for transaction in sheet.transactions] == [transaction_id]
    assert sheet.stripe_ids == ["evt_1"]
    assert [(act.act.value, act.who) for act in sheet.acts] == [("retry", "olga")]


def test_a_retry_is_written_down_and_gives_fresh_budgets(database: Database) -> None:
    job_id = failed_job(database)

    with database.begin() as store:
        job = job_repair.retry_job(store, job_id, **WHO)

    assert (job.state, job.attempts) == (JobState.PENDING, 0)
    assert acts_of(database) == [("retry", "olga", "Stripe is back")]


def test_a_discarded_job_keeps_its_problem_and_never_runs_again(database: Database) -> None:
    job_id = failed_job(database)

    with database.begin() as store:
        job = job_repair.discard_job(store, job_id, **WHO)

    assert (job.state, (job.problem or {})["code"]) == (JobState.DISCARDED, "job_failed")
    with database.begin() as store, pytest.raises(JobStateRefused):
        job_repair.retry_job(store, job_id, **WHO)
    assert acts_of(database) == [("discard", "olga", "Stripe is back")]


def test_pending_done_and_unknown_jobs_are_not_discarded(database: Database) -> None:
    ended_jobs(database, 1)
    with database.single() as store:
        done = store.run(text("SELECT id FROM jobs.jobs")).scalar_one()

    with database.begin() as store, pytest.raises(JobStateRefused):
        job_repair.discard_job(store, done, **WHO)
    with database.begin() as store, pytest.raises(NotFound):
        job_repair.discard_job(store, uuid4(), **WHO)


@pytest.mark.parametrize("change", ["UPDATE jobs.acts SET who = 'x'", "DELETE FROM jobs.acts", "TRUNCATE jobs.acts"])
def test_acts_are_append_only_for_the_owner_as_well(database: Database, database_url: str, change: str) -> None:
    with database.begin() as store:
        job_repair.retry_job(store, failed_job(database), **WHO)

    with psycopg.connect(database_url) as owner, pytest.raises(psycopg.errors.IntegrityConstraintViolation):
        owner.execute(change)


def test_the_service_may_only_add_acts(database: Database) -> None:
    with database.single() as store:
        sql = """
            SELECT string_agg(privilege_type, ',' ORDER BY privilege_type) FROM information_schema.role_table_grants
            WHERE table_name = 'acts' AND grantee = 'mana_credits_app'"""
        assert store.run(text(sql)).scalar_one() == "INSERT,SELECT"


def test_a_run_retries_twenty_in_a_step_and_ends_when_all_are_through(database: Database) -> None:
    job_ids = [failed_job(database) for _ in range(45)]
    run = run_of(database)

    sizes = []
    while not (now := step(database, run)).is_over:
        sizes.append(len(now.retried))
        work_off(database, well=True)

    assert sizes == [RETRIES_PER_SECOND, RETRIES_PER_SECOND, 5]
    assert {state_of(database, job_id) for job_id in job_ids} == {"done"}
    assert (now.progress.retried, now.progress.failing) == (45, 0)


def test_a_run_stops_itself_when_more_than_a_fifth_fail_again(database: Database) -> None:
    for _ in range(45):
        failed_job(database)
    run = run_of(database)

    assert len(step(database, run).retried) == 20
    work_off(database, well=False)
    stopped = step(database, run)

    assert stopped.is_over
    assert stopped.progress.must_stop
    assert stopped.retried == []
    with database.single() as store:
        assert job_search.count(store, JobFilter(state=JobState.FAILED)) == 25


def test_a_run_does_not_take_up_what_failed_after_it_was_recorded(database: Database) -> None:
    run = run_of(database)
    late = failed_job(database)

    assert step(database, run).is_over
    assert state_of(database, late) == "failed"


def test_a_run_waits_until_the_jobs_it_has_retried_were_attempted(database: Database) -> None:
    for _ in range(AHEAD_MAX + 10):
        failed_job(database)
    run = run_of(database)

    retried = [len(step(database, run).retried) for _ in range(7)]

    assert retried == [20, 20, 20, 20, 20, 0, 0]
    assert work_off(database, well=True) == AHEAD_MAX
    assert len(step(database, run).retried) == 10


def test_two_runs_at_once_retry_each_job_once(database: Database) -> None:
    for _ in range(40):
        failed_job(database)
    runs = [run_of(database), run_of(database)]

    steps = [outcome for _ in range(3) for outcome in at_once(2, lambda number: step(database, runs[number]))]

    retried = [job.id for outcome in steps if isinstance(outcome, job_repair.Step) for job in outcome.retried]
    assert len(retried) == len(set(retried)) == 40


def test_done_and_discarded_jobs_are_no_matter_for_a_run(database: Database) -> None:
    for state in (JobState.DONE, JobState.DISCARDED, JobState.PENDING):
        with database.begin() as store, pytest.raises(JobStateRefused):
            job_repair.retry_all(store, JobFilter(state=state), **WHO)


def test_ten_thousand_finished_jobs_retried_change_no_balance(database: Database) -> None:
    give(database, "anna", 100)
    ended_jobs(database, 10_000)
    with database.single() as store:
        before = store.run(text("SELECT user_id, balance, version FROM credits.balances")).all()
        finished = list(store.run(text("SELECT id FROM jobs.jobs")).scalars())

    refused = 0
    for job_id in finished:
        try:
            with database.begin() as store:
                job_repair.retry_job(store, job_id, **WHO)
        except JobStateRefused:
            refused += 1
    over = [step(database, run_of(database)) for _ in range(2)]

    assert refused == 10_000
    assert [(outcome.is_over, outcome.progress.retried) for outcome in over] == [(True, 0)] * 2
    with database.single() as store:
        assert store.run(text("SELECT user_id, balance, version FROM credits.balances")).all() == before
        assert store.run(text("SELECT count(*) FROM jobs.jobs WHERE kind = 'stripe' AND state <> 'done'")).scalar() == 0


def test_a_job_that_rests_is_due_at_once_when_it_is_retried(database: Database) -> None:
    job_id = failed_job(database)
    with database.begin() as store:
        job_repair.retry_job(store, job_id, **WHO)
    work_off(database, well=False)
    with database.begin() as store:
        job_repair.retry_job(store, job_id, **WHO)

    with database.single() as store:
        sql = "SELECT next_at - clock_timestamp() FROM jobs.jobs WHERE id = :id"
        pause = store.run(text(sql), {"id": job_id}).scalar_one()
    assert pause <= timedelta(0)
