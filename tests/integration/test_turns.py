"""Turns: the jobs of one user do not delay another user's, and money that was paid comes first."""

import threading
from collections import Counter
from collections.abc import Callable
from typing import Final
from uuid import UUID

import pytest

from domain.errors import NotFound
from domain.ids import new_id
from domain.operations import jobs
from domain.operations.jobs import Turn, Write
from domain.rules.job_kinds import ABANDONED, CANCEL, PURCHASE, REDEEM
from domain.rules.job_payloads import CancelPurchase
from domain.rules.jobs import AnyKind, Job, JobState, NewJob, NoPayload
from domain.store import Database
from domain.store import jobs as job_rows
from process.parts import WorkerParts
from tests.support.jobs import started
from tests.support.plain_sql import rows
from tests.support.turns import event_job, purchase_jobs, record_each, redeem_job, workers_on
from workers.jobs import take_turn
from workers.registry import HANDLERS

WAIT_S: Final = 60
"""The most that a test waits for a worker; no test depends on how quick it is."""

Handlers = Callable[[AnyKind, Callable[[Job], None]], None]


@pytest.fixture
def handled_by(monkeypatch: pytest.MonkeyPatch) -> Handlers:
    """Return what puts another handler in the place of a kind's: it acts, and then refuses the job."""

    def replace(kind: AnyKind, act: Callable[[Job], None]) -> None:
        def handler(job: Job, _parts: WorkerParts) -> Write:
            act(job)
            raise NotFound("Purchase")

        monkeypatch.setitem(HANDLERS, kind, handler)

    return replace


def next_turn(database: Database, job_id: UUID) -> Turn:
    with database.begin() as store:
        return jobs.start_next(store, job_id, token=new_id())


def next_jobs(database: Database, job_ids: list[UUID]) -> list[str]:
    """Take a turn for each message; returns whose jobs were started, the kind's name for jobs of nobody."""
    turns = [next_turn(database, job_id).job for job_id in job_ids]
    return [job.user_id or job.kind.name for job in turns if job is not None]


def test_ben_is_served_before_annas_third_purchase(database: Database, handled_by: Handlers) -> None:
    workers = workers_on(database)
    starts: list[str] = []
    ben_is_served, stripe_answers = threading.Event(), threading.Event()

    def ask_slow_stripe(_job: Job) -> None:
        starts.append("anna")
        assert stripe_answers.wait(WAIT_S)

    def redeem(_job: Job) -> None:
        starts.append("ben")
        ben_is_served.set()

    handled_by(PURCHASE, ask_slow_stripe)
    handled_by(REDEEM, redeem)
    recorded = record_each(database, [*purchase_jobs("anna", 60), redeem_job("ben")])
    workers.parts.bell.ring(*recorded)

    with workers.running(2):
        try:
            assert ben_is_served.wait(WAIT_S)
        finally:
            stripe_answers.set()

    assert starts.index("ben") <= 2


def test_with_one_worker_too_a_user_with_few_jobs_precedes_one_with_many(database: Database) -> None:
    purchases = record_each(database, purchase_jobs("anna", 60))
    record_each(database, [redeem_job("ben")])

    assert next_jobs(database, [purchases[0].id]) == ["ben"]


def test_users_take_turns(database: Database) -> None:
    purchases = record_each(database, [*purchase_jobs("anna", 3), *purchase_jobs("ben", 3)])

    whose = next_jobs(database, [purchases[-1].id] * 6)

    assert whose == ["anna", "ben", "anna", "ben", "anna", "ben"]


def test_the_jobs_of_a_user_keep_their_order(database: Database) -> None:
    purchases = record_each(database, purchase_jobs("anna", 5))

    turns = [next_turn(database, purchases[4].id).job for _ in range(5)]

    assert [job.id for job in turns if job] == [purchase.id for purchase in purchases]


def test_an_event_of_stripe_behind_fifty_purchases_is_started_next(database: Database) -> None:
    users = [f"user-{number}" for number in range(50)]
    purchases = record_each(database, [job for user_id in users for job in purchase_jobs(user_id, 1)])
    started(database, purchases[0])
    record_each(database, [event_job()])

    assert next_jobs(database, [purchases[1].id]) == ["stripe"]


def test_jobs_of_nobody_take_turns_by_their_kind(database: Database) -> None:
    cancellations = [
        NewJob(kind=CANCEL, key=f"cancel:{number}", payload=CancelPurchase(purchase_id=UUID(int=number)))
        for number in range(30)
    ]
    recorded = record_each(database, [*cancellations, redeem_job("ben")])
    record_each(database, [NewJob(kind=ABANDONED, key="abandoned:1", payload=NoPayload())])

    whose = next_jobs(database, [job.id for job in recorded[:3]])

    assert sorted(whose) == ["abandoned", "ben", "cancel"]


def test_a_job_that_another_is_preferred_to_is_rung_for_again_at_once(database: Database, handled_by: Handlers) -> None:
    workers = workers_on(database)
    purchases = record_each(database, purchase_jobs("anna", 3))
    record_each(database, [redeem_job("ben")])
    handled_by(REDEEM, lambda _job: None)

    take_turn(purchases[0].id, workers.parts)

    assert workers.messages.waiting.get_nowait() == purchases[0].id


def test_a_message_whose_job_has_ended_starts_nothing(database: Database, database_url: str) -> None:
    purchases = record_each(database, purchase_jobs("anna", 2))
    rows(
        database_url,
        "UPDATE jobs.jobs SET state = 'rejected', problem = '{}', finished_at = now() WHERE id = %s",
        purchases[0].id,
    )

    assert next_turn(database, purchases[0].id) == Turn(job=None, is_passed_over=False)


def test_a_message_whose_job_rests_or_is_leased_starts_nothing(database: Database, database_url: str) -> None:
    resting, leased, waiting = record_each(database, purchase_jobs("anna", 3))
    rows(database_url, "UPDATE jobs.jobs SET next_at = now() + interval '1 hour' WHERE id = %s", resting.id)
    started(database, leased)

    assert next_jobs(database, [resting.id, leased.id]) == []
    assert next_jobs(database, [waiting.id]) == ["anna"]


def test_a_job_behind_more_jobs_than_are_compared_is_started_when_its_message_comes(database: Database) -> None:
    record_each(database, purchase_jobs("anna", 220))
    ben = record_each(database, [redeem_job("ben")])[0]

    turn = next_turn(database, ben.id)

    assert turn.job is not None
    assert (turn.job.id, turn.is_passed_over) == (ben.id, False)


def test_a_job_that_kills_its_workers_leaves_the_named_one_its_message(database: Database, database_url: str) -> None:
    purchases = record_each(database, purchase_jobs("anna", 3))
    deadly = record_each(database, [redeem_job("ben")])[0]
    rows(database_url, "UPDATE jobs.jobs SET starts = 5 WHERE id = %s", deadly.id)

    turn = next_turn(database, purchases[0].id)

    assert turn == Turn(job=None, is_passed_over=True)
    with database.single() as store:
        assert job_rows.get(store, deadly.id, owner=None).state is JobState.FAILED


def test_sixteen_workers_do_each_of_four_hundred_jobs_once_without_a_sweeper(
    database: Database, database_url: str, handled_by: Handlers
) -> None:
    workers = workers_on(database)
    done: list[UUID] = []
    handled_by(PURCHASE, lambda job: done.append(job.id))
    handled_by(REDEEM, lambda job: done.append(job.id))
    crowd = [job for number in range(20) for job in purchase_jobs(f"user-{number}", 5)]
    recorded = record_each(database, [*purchase_jobs("anna", 280), *crowd, *(redeem_job(f"u{n}") for n in range(20))])
    with workers.running(16):
        workers.parts.bell.ring(*recorded)

    while not workers.messages.waiting.empty():  # what was rung for again behind the end of the threads
        with workers.running(16):
            pass

    assert Counter(done) == Counter(job.id for job in recorded)
    assert rows(database_url, "SELECT state, count(*) FROM jobs.jobs GROUP BY state") == [("rejected", 400)]
