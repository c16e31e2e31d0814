"""A process is killed between the steps of an act: the act has happened wholly or not at all, and heals."""

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from domain.operations import gifts
from domain.operations.jobs import record
from domain.rules.gifts import Gift
from domain.rules.job_kinds import ROLL_UP_USAGE
from domain.rules.jobs import Job, JobState, NewJob, NoPayload, stored_result
from domain.store import Database
from tests.support.credits import balance, give
from tests.support.gifts import make_gift, redeem
from tests.support.holds import commit, hold
from tests.support.jobs import work, work_on
from tests.support.paths import ROOT
from tests.support.times import now
from tests.support.users import BEN

DYING = """
import os, sys
from uuid import UUID
from domain.store import Database
from tests.support.worker import worker
from workers.jobs import run_job
import workers.handlers  # noqa: F401 - registers the handlers
from tests.support import gifts, holds

url, patched, calls, act, subject = sys.argv[1:]
module, _, name = patched.rpartition(".")
owner = sys.modules.get(module) or __import__(module, fromlist=[name])
was, left = getattr(owner, name), [int(calls)]

def dying(*arguments, **named):
    if not left[0]:
        os._exit(9)
    left[0] -= 1
    return was(*arguments, **named)

setattr(owner, name, dying)
database = Database(url)
match act:
    case "job":
        run_job(UUID(subject), worker(database))
    case "commit":
        holds.commit(database, UUID(subject))
    case "create":
        gifts.make_gift(database, size=int(subject))
"""


def die_in(database_url: str, act: str, subject: object, *, at: str, after: int = 0) -> None:
    """Do an act in another process, which is gone when it calls `at` for the (`after` + 1)-th time."""
    arguments = [sys.executable, "-c", DYING, database_url, at, str(after), act, str(subject)]
    done = subprocess.run(arguments, cwd=Path(ROOT), check=False, capture_output=True, timeout=60)
    assert done.returncode == 9, done.stderr


def redeem_later(database: Database, gift: Gift) -> Job:
    with database.begin() as store:
        return gifts.redeem_later(
            store, typed=gift.code, user_id=BEN, email=None, source_app_id=None, key=None, request_id=None
        ).job


def end_leases(database_url: str) -> None:
    """Let the time pass after which a dead worker's job is free."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE jobs.jobs SET leased_until = now() WHERE state = 'pending'")


@pytest.mark.parametrize(
    "step",
    [
        "domain.store.ledger.append",
        "domain.store.gifts.end",
        "domain.store.gifts.add_redemption",
        "domain.store.job_execution.end",
    ],
)
def test_a_worker_killed_while_it_redeems_leaves_nothing_and_the_next_one_redeems(
    database: Database, database_url: str, step: str
) -> None:
    give(database, "anna", 100)
    gift = make_gift(database).gift
    job = redeem_later(database, gift)

    die_in(database_url, "job", job.id, at=step)

    assert balance(database, BEN)[0] == 0
    end_leases(database_url)
    assert work(database, job.id).state is JobState.DONE
    assert balance(database, BEN)[0] == 10


def test_a_registrations_worker_killed_between_two_gifts_leaves_one_and_the_next_one_counts_both(
    database: Database, database_url: str
) -> None:
    give(database, "anna", 100)
    for _ in range(2):
        make_gift(database, target_email="friend@x.de")
    with database.begin() as store:
        job = gifts.redeem_pending_later(
            store, user_id=BEN, email="friend@x.de", key=None, request_id=None, now=now()
        ).job

    die_in(database_url, "job", job.id, at="domain.operations.gifts.redeem", after=1)

    assert balance(database, BEN)[0] == 10
    end_leases(database_url)
    assert work(database, job.id).result == {"redeemed": 2, "totalCredits": 20}
    assert balance(database, BEN)[0] == 20


def test_a_commit_killed_after_its_release_leaves_the_hold_open(database: Database, database_url: str) -> None:
    give(database, "anna", 100)
    hold_id = hold(database, 30)

    die_in(database_url, "commit", hold_id, at="domain.store.ledger.append", after=1)

    assert balance(database) == (70, 100, 0)
    commit(database, hold_id)
    assert balance(database) == (70, 100, 30)


def test_a_creation_killed_after_its_debit_takes_nothing(database: Database, database_url: str) -> None:
    give(database, "anna", 100)

    die_in(database_url, "create", 10, at="domain.store.gifts.add")

    assert balance(database)[0] == 100


def test_a_count_killed_after_it_counted_counts_nothing_twice(database: Database, database_url: str) -> None:
    give(database, "anna", 100)
    commit(database, hold(database, 30))
    with database.begin() as store:
        job = record(store, NewJob(kind=ROLL_UP_USAGE, key="roll-up", payload=NoPayload())).job

    die_in(database_url, "job", job.id, at="domain.store.job_execution.end")

    # What was counted before the kill is committed; the next run counts nothing again. The books are proved at the end.
    assert work_on(database, ROLL_UP_USAGE).state is JobState.DONE
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT credits, uses FROM credits.usage_stats").fetchall() == [(30, 1)]


def test_a_gift_redeemed_before_its_job_was_killed_is_not_redeemed_again(database: Database, database_url: str) -> None:
    give(database, "anna", 100)
    gift = make_gift(database).gift
    job = redeem_later(database, gift)
    first = redeem(database, gift)

    die_in(database_url, "job", job.id, at="domain.store.job_execution.end")
    end_leases(database_url)

    assert work(database, job.id).result == stored_result(first)
    assert balance(database, BEN) == (10, 10, 0)
