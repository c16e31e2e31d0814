"""Cloud Sync when many are at it at once. Each of these doubles or loses charges when its guard is taken away."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from domain.errors import SyncAlreadyActive
from domain.ids import new_id
from domain.operations import renewals, sync
from domain.operations.jobs import finish_together, start_together
from domain.rules.job_kinds import RENEW
from domain.rules.jobs import Job
from domain.rules.sync import Interval
from domain.store import Database, Store
from domain.units import UserId
from tests.support.credits import give
from tests.support.jobs import do, pending
from tests.support.plain_sql import rows
from tests.support.service import eventually
from tests.support.sync import charges, state, subscribe
from tests.support.threads import at_once
from tests.support.users import ANNA
from tests.support.worker import worker
from workers.schedule import record_renewals


class Killed(Exception):
    """The worker died before its commit."""


def renew_and_die(store: Store, claimed: list[Job]) -> None:
    renewals.renew_together(store, claimed, notices=False, now=datetime.now(UTC))
    raise Killed


def subscribers(database: Database, database_url: str, count: int, *, owning: int) -> list[str]:
    """Write users who own credits and whose subscriptions are due; returns their ids."""
    users = [f"u{number}" for number in range(count)]
    for user_id in users:
        give(database, user_id, owning)
    subscribe(database_url, *users)
    return users


def runs(database: Database, count: int) -> list[str]:
    """Record runs as as many callers with keys of their own would."""
    recorded = []
    for _ in range(count):
        with database.begin() as store:
            recorded.append(str(renewals.charge_recurring_later(store, key=None, request_id=None).job.id))
    return recorded


def test_five_parallel_activations_charge_once_a_hundred_times(database: Database, database_url: str) -> None:
    for number in range(100):
        user_id = UserId(f"u{number}")
        give(database, user_id, 1_000)

        def activate(_: int, user_id: UserId = user_id) -> Any:
            with database.begin() as store:
                return sync.activate(store, user_id=user_id, interval=Interval.MONTHLY, now=datetime.now(UTC))

        results = at_once(5, activate)
        refused = [result for result in results if isinstance(result, SyncAlreadyActive)]
        assert len(refused) == 4, results

    assert charges(database_url) == {f"u{number}": 1 for number in range(100)}


def test_parallel_activations_of_a_sync_that_was_stopped_charge_once(database: Database, database_url: str) -> None:
    give(database, "anna", 10_000)

    def activate(_: int) -> Any:
        with database.begin() as store:
            return sync.activate(store, user_id=ANNA, interval=Interval.MONTHLY, now=datetime.now(UTC))

    for _ in range(30):
        at_once(5, activate)
        with database.begin() as store:
            sync.deactivate(store, user_id=ANNA, now=datetime.now(UTC))

    assert charges(database_url) == {"anna": 30}


def test_parallel_activation_jobs_charge_once_and_the_others_are_rejected(
    database: Database, database_url: str
) -> None:
    give(database, "anna", 1_000)
    with database.begin() as store:
        for _ in range(5):
            sync.activate_later(store, user_id=ANNA, interval=Interval.MONTHLY, key=None, request_id=None)
    jobs = pending(database_url, "activate")

    at_once(5, lambda number: do(worker(database), [jobs[number]]))

    assert charges(database_url) == {"anna": 1}
    states = rows(database_url, "SELECT state, count(*) FROM jobs.jobs GROUP BY 1 ORDER BY 1")
    assert states == [("done", 1), ("rejected", 4)]


def test_three_parallel_runs_over_500_due_are_500_charges(database: Database, database_url: str) -> None:
    users = [f"u{number}" for number in range(500)]
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.cursor().executemany(
            "SELECT credits.append(gen_random_uuid(), %s, 'grant', 60, 'test', 'test', 'x', NULL, 'seed', NULL, NULL,"
            " now())",
            [(user_id,) for user_id in users],
        )
    subscribe(database_url, *users)

    def run(number: int) -> None:
        # Not joined: three runs, a tick and the workers they ring, all at the same subscriptions.
        parts = worker(database)
        if number < 3:
            do(parts, [insert_run(database_url)])
        else:
            record_renewals(parts, now=datetime.now(UTC))
            do(parts, pending(database_url, "renew"))

    assert at_once(4, run) == [None] * 4

    do(worker(database), pending(database_url, "renew"))
    assert charges(database_url) == dict.fromkeys(users, 1)


def insert_run(url: str) -> str:
    return str(
        rows(
            url,
            "INSERT INTO jobs.jobs (id, kind, queue, key, payload, next_at, enqueued_at, created_at)"
            " VALUES (gen_random_uuid(), 'charge_recurring', 'default', gen_random_uuid()::text, '{}', now(), now(),"
            " now()) RETURNING id",
        )[0][0]
    )


def test_callers_of_a_run_at_once_join_one(database: Database) -> None:
    joined = at_once(8, lambda _: runs(database, 1)[0])

    assert len(set(joined)) == 1


@pytest.mark.parametrize("act", ["deactivate", "grant"])
def test_an_act_of_a_user_during_a_wave_wins(database: Database, database_url: str, act: str) -> None:
    users = subscribers(database, database_url, 40, owning=30)
    parts = worker(database)
    record_renewals(parts, now=datetime.now(UTC))
    inside, done = threading.Event(), threading.Event()

    def user() -> None:
        with database.begin() as store:
            if act == "deactivate":
                sync.deactivate(store, user_id=UserId("u7"), now=datetime.now(UTC))
            else:
                sync.grant(store, user_id=UserId("u7"), admin_id=UserId("admin"), now=datetime.now(UTC))
            inside.set()
            done.wait(0.5)

    with ThreadPoolExecutor(1) as pool:
        acting = pool.submit(user)
        inside.wait()
        do(parts, pending(database_url, "renew"))
        acting.result()

    assert charges(database_url) == {user_id: 1 for user_id in users if user_id != "u7"}
    assert state(database_url, "u7") == (act == "grant", False, False)
    assert pending(database_url, "renew") == []


def test_users_who_deactivate_during_waves_are_not_charged_after_it(database: Database, database_url: str) -> None:
    users = subscribers(database, database_url, 150, owning=30)
    parts = worker(database)
    record_renewals(parts, now=datetime.now(UTC))
    jobs = pending(database_url, "renew")

    charged_before = {}

    def run(number: int) -> None:
        if number:
            do(parts, jobs[(number - 1) * 50 : number * 50])
            return
        for user_id in users[::3]:
            with database.begin() as store:
                sync.deactivate(store, user_id=UserId(user_id), now=datetime.now(UTC))
            charged_before[user_id] = charges(database_url).get(user_id, 0)

    assert at_once(4, run) == [None] * 4

    after = charges(database_url)
    assert {user_id: after.get(user_id, 0) for user_id in users[::3]} == charged_before
    assert {after[user_id] for user_id in users if user_id not in charged_before} == {1}
    assert pending(database_url, "renew") == []


def test_a_batch_whose_worker_died_after_its_claim_is_charged_once_by_the_next(
    database: Database, database_url: str
) -> None:
    users = subscribers(database, database_url, 30, owning=90)
    parts = worker(database)
    jobs = record_renewals(parts, now=datetime.now(UTC))
    with database.begin() as store:
        claimed = start_together(store, jobs, kinds=[RENEW], token=new_id())
    with pytest.raises(Killed), database.begin() as store:
        renew_and_die(store, claimed)
    do(parts, jobs)
    assert charges(database_url) == {}
    rows(database_url, "UPDATE jobs.jobs SET leased_until = now() - interval '1 second'")

    at_once(3, lambda _: do(parts, jobs))

    assert charges(database_url) == dict.fromkeys(users, 1)
    assert rows(database_url, "SELECT DISTINCT state, starts FROM jobs.jobs") == [("done", 2)]


def test_a_worker_that_comes_back_after_its_lease_writes_nothing(database: Database, database_url: str) -> None:
    give(database, "anna", 90)
    give(database, "ben", 90)
    subscribe(database_url, "anna", "ben")
    parts = worker(database)
    jobs = record_renewals(parts, now=datetime.now(UTC))
    token = new_id()
    with database.begin() as store:
        claimed = start_together(store, jobs, kinds=[RENEW], token=token)
    rows(database_url, "UPDATE jobs.jobs SET leased_until = now() - interval '1 second'")
    do(parts, jobs)

    with database.begin() as store:
        late = finish_together(
            store,
            claimed,
            lambda inner, ours: renewals.renew_together(inner, ours, notices=False, now=datetime.now(UTC)),
            token=token,
        )

    assert late == set()
    assert charges(database_url) == {"anna": 1, "ben": 1}


def test_a_locked_balance_holds_up_its_user_alone(database: Database, database_url: str) -> None:
    users = subscribers(database, database_url, 20, owning=30)
    parts = worker(database)
    jobs = record_renewals(parts, now=datetime.now(UTC))

    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT FROM credits.balances WHERE user_id = 'u7' FOR UPDATE")
        done = threading.Thread(target=do, args=(parts, jobs))
        done.start()
        eventually(lambda: len(charges(database_url)) == 19)
        while_locked = charges(database_url)
        connection.rollback()
        done.join()
    rows(database_url, "UPDATE jobs.jobs SET next_at = now() WHERE state = 'pending'")
    do(parts, pending(database_url, "renew"))  # on a slow machine its first attempt gave up waiting for the lock

    assert while_locked == {user_id: 1 for user_id in users if user_id != "u7"}
    assert charges(database_url) == dict.fromkeys(users, 1)


def test_two_ticks_at_once_record_each_period_once(database: Database, database_url: str) -> None:
    subscribe(database_url, *[f"u{number}" for number in range(300)], due=timedelta(hours=-1))

    at_once(3, lambda _: record_renewals(worker(database), now=datetime.now(UTC)))

    assert rows(database_url, "SELECT count(*), count(DISTINCT user_id) FROM jobs.jobs") == [(300, 300)]
