"""Renewals on real PostgreSQL: waves, trouble, moved clocks, and what users are told."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from domain.operations import sync
from domain.store import Database
from domain.store.renewals import DUE_PAGE
from domain.units import UserId
from tests.support.credits import give
from tests.support.jobs import do, pending
from tests.support.plain_sql import rows
from tests.support.sync import charges, renew_due, state, subscribe
from tests.support.times import NOW
from tests.support.worker import Letterbox, worker
from workers.schedule import record_renewals, watch_sync


def test_a_wave_charges_pauses_or_leaves_alone_each_user_separately(database: Database, database_url: str) -> None:
    rich, poor, later = [f"r{n}" for n in range(60)], [f"p{n}" for n in range(10)], [f"l{n}" for n in range(10)]
    for user_id in rich:
        give(database, user_id, 40)
    for user_id in poor:
        give(database, user_id, 29)
    subscribe(database_url, *rich, *poor, "without-a-balance")
    subscribe(database_url, *later, due=timedelta(days=8))

    renew_due(database, database_url)

    assert charges(database_url) == dict.fromkeys(rich, 1)
    assert {state(database_url, user_id) for user_id in rich} == {(True, False, True)}
    assert {state(database_url, user_id) for user_id in [*poor, "without-a-balance"]} == {(False, True, False)}
    assert {state(database_url, user_id) for user_id in later} == {(True, False, True)}
    results = rows(database_url, "SELECT result ->> 'outcome', state, count(*) FROM jobs.jobs GROUP BY 1, 2 ORDER BY 1")
    assert results == [("charged", "done", 60), ("paused", "done", 11)]
    assert pending(database_url, "notify") == []


def test_after_three_months_away_one_period_is_charged_and_the_date_is_in_the_future(
    database: Database, database_url: str
) -> None:
    give(database, "anna", 500)
    subscribe(database_url, "anna", due=timedelta(days=-92))

    renew_due(database, database_url)
    renew_due(database, database_url)

    assert charges(database_url) == {"anna": 1}
    paused = rows(
        database_url,
        "SELECT next_charge_at > now(), next_charge_at < now() + interval '32 days' FROM credits.sync_subscriptions",
    )
    assert paused == [(True, True)]


def test_a_subscription_that_is_moved_back_in_time_is_charged_once_each_time(
    database: Database, database_url: str
) -> None:
    give(database, "anna", 500)
    subscribe(database_url, "anna")

    for _ in range(3):
        renew_due(database, database_url)
        rows(
            database_url,
            "UPDATE credits.sync_subscriptions SET anchor_at = anchor_at - interval '40 days',"
            " next_charge_at = next_charge_at - interval '40 days'",
        )

    assert charges(database_url) == {"anna": 3}


def test_a_period_that_was_not_due_when_its_job_ran_is_charged_when_it_is(
    database: Database, database_url: str
) -> None:
    give(database, "anna", 500)
    subscribe(database_url, "anna")
    parts = worker(database)
    record_renewals(parts, now=datetime.now(UTC))
    rows(database_url, "UPDATE credits.sync_subscriptions SET next_charge_at = now() + interval '1 hour'")
    do(parts, pending(database_url, "renew"))
    assert charges(database_url) == {}
    rows(database_url, "UPDATE credits.sync_subscriptions SET next_charge_at = now() - interval '1 hour'")

    renew_due(database, database_url)

    assert charges(database_url) == {"anna": 1}


def test_a_subscription_made_again_by_hand_is_charged_again(database: Database, database_url: str) -> None:
    give(database, "anna", 500)
    subscribe(database_url, "anna")
    renew_due(database, database_url)
    rows(database_url, "DELETE FROM credits.sync_subscriptions")
    subscribe(database_url, "anna")

    renew_due(database, database_url)

    assert charges(database_url) == {"anna": 2}


def test_a_renewal_that_failed_for_good_hides_nobody_else(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.operations.renewals.PAGE", 3)
    failed, fine = [f"a{n}" for n in range(7)], [f"b{n}" for n in range(7)]
    subscribe(database_url, *failed, due=timedelta(days=-2))
    record_renewals(worker(database), now=datetime.now(UTC))
    rows(database_url, "UPDATE jobs.jobs SET state = 'failed', finished_at = now(), problem = '{}'")
    for user_id in fine:
        give(database, user_id, 30)
    subscribe(database_url, *fine)

    renew_due(database, database_url)

    assert charges(database_url) == dict.fromkeys(fine, 1)


def test_a_renewal_that_fails_in_a_batch_does_not_affect_the_others(database: Database, database_url: str) -> None:
    users = [f"u{n}" for n in range(20)]
    for user_id in users:
        give(database, user_id, 30)
    subscribe(database_url, *users)
    # Trouble that no code foresees: the ledger refuses this one user's charge.
    rows(
        database_url,
        "CREATE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN IF NEW.user_id = 'u7' THEN RAISE 'trouble'; END IF; RETURN NEW; END$$",
    )
    rows(
        database_url,
        "CREATE TRIGGER trouble BEFORE INSERT ON credits.transactions FOR EACH ROW EXECUTE FUNCTION trouble()",
    )

    renew_due(database, database_url)

    assert charges(database_url) == {user_id: 1 for user_id in users if user_id != "u7"}
    attempts = rows(database_url, "SELECT user_id, attempts, state FROM jobs.jobs WHERE attempts > 0")
    assert attempts == [("u7", 1, "pending")]


def test_a_paused_user_is_told_once_and_by_post(database: Database, database_url: str) -> None:
    give(database, "anna", 12)
    subscribe(database_url, "anna")
    letters = Letterbox()
    parts = worker(database, notifier=letters)
    watch_sync(parts)
    do(parts, [*pending(database_url, "renew"), *pending(database_url, "renew")])

    do(parts, pending(database_url, "notify"))
    watch_sync(parts)
    do(parts, pending(database_url, "notify"))

    assert [(user_id, text["data"]["notice"]) for user_id, text in letters.sent] == [("anna", "sync_paused")]
    assert letters.sent[0][1]["data"]["available"] == 12


def test_who_cannot_pay_in_seven_days_is_told_once(database: Database, database_url: str) -> None:
    give(database, "poor", 29)
    give(database, "rich", 30)
    subscribe(database_url, "poor", "rich", due=timedelta(days=6))
    subscribe(database_url, "later", due=timedelta(days=8))
    letters = Letterbox()
    parts = worker(database, notifier=letters)

    for _ in range(3):
        watch_sync(parts)
        do(parts, pending(database_url, "notify"))

    assert [(user_id, text["data"]["notice"]) for user_id, text in letters.sent] == [("poor", "sync_low_balance")]


def test_a_paused_user_who_wants_it_is_activated_by_the_first_top_up_that_suffices(
    database: Database, database_url: str
) -> None:
    subscribe(database_url, "wants", "wants-not")
    renew_due(database, database_url)
    with database.begin() as store:
        sync.set_auto_resume(store, user_id=UserId("wants"), enabled=True, now=NOW)
    give(database, "wants", 29)
    give(database, "wants-not", 100)
    parts = worker(database)
    watch_sync(parts)
    assert pending(database_url, "resume") == []
    give(database, "wants", 1)

    watch_sync(parts)
    do(parts, pending(database_url, "resume"))

    assert state(database_url, "wants") == (True, False, True)
    assert state(database_url, "wants-not") == (False, True, False)
    assert charges(database_url) == {"wants": 1}


def test_a_run_that_was_asked_for_renews_what_is_due_and_tells_what_came_of_it(
    database: Database, database_url: str
) -> None:
    users = [f"u{n}" for n in range(250)]
    for user_id in users[:200]:
        give(database, user_id, 30)
    subscribe(database_url, *users)
    parts = worker(database)
    rows(
        database_url,
        "INSERT INTO jobs.jobs (id, kind, queue, key, payload, next_at, enqueued_at, created_at)"
        " VALUES (gen_random_uuid(), 'charge_recurring', 'default', 'run', '{}', now(), now(), now())",
    )

    do(parts, pending(database_url, "charge_recurring"))

    assert rows(database_url, "SELECT state, result FROM jobs.jobs WHERE key = 'run'") == [
        ("done", {"charged": 200, "paused": 50, "errors": 0, "total": 250})
    ]


def test_a_run_waits_for_the_renewals_of_others_without_counting_an_attempt(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.handlers.renewals.OWN_SHARE_S", -1)
    give(database, "anna", 30)
    subscribe(database_url, "anna")
    parts = worker(database)
    rows(
        database_url,
        "INSERT INTO jobs.jobs (id, kind, queue, key, payload, next_at, enqueued_at, created_at)"
        " VALUES (gen_random_uuid(), 'charge_recurring', 'default', 'run', '{}', now(), now(), now())",
    )
    run = pending(database_url, "charge_recurring")

    do(parts, run)
    waiting = rows(
        database_url, "SELECT state, attempts, starts, lease_token, next_at > now() FROM jobs.jobs WHERE key = 'run'"
    )
    do(parts, pending(database_url, "renew"))
    rows(database_url, "UPDATE jobs.jobs SET next_at = now() WHERE key = 'run'")
    do(parts, run)

    assert waiting == [("pending", 0, 0, None, True)]
    assert rows(database_url, "SELECT result ->> 'total' FROM jobs.jobs WHERE key = 'run'") == [("1",)]


def test_a_million_idle_subscriptions_are_not_looked_at(database: Database, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO credits.sync_subscriptions (user_id, active, anchor_at, next_charge_at)"
            " SELECT 'u' || n, true, now(), now() + interval '20 days' FROM generate_series(1, 20000) n"
        )
        connection.execute("VACUUM ANALYZE credits.sync_subscriptions")
        values = {"now": datetime.now(UTC), "due_at": "-infinity", "user_id": "", "most": 1_000}
        plan = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {DUE_PAGE}", values).fetchone()

    assert plan is not None
    assert plan[0][0]["Plan"]["Shared Hit Blocks"] + plan[0][0]["Plan"]["Shared Read Blocks"] <= 4
    assert database is not None
