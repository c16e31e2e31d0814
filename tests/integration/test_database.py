"""`domain.store.Database`: what it refuses, and what it says when PostgreSQL cannot serve."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy import text

from domain.errors import Busy, Unavailable
from domain.store import Database, UnfitDatabase, balances
from domain.units import UserId
from local.postgres import Postgres
from tests.support.credits import give
from tests.support.plain_sql import rows
from tests.support.service import eventually
from tests.support.threads import at_once


@contextmanager
def opened(url: str, pool_size: int = 1) -> Iterator[Database]:
    database = Database(url, pool_size=pool_size, lock_timeout_s=0.3)
    try:
        yield database
    finally:
        database.close()


def as_owner(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


def test_a_database_that_forgets_commits_is_refused(database_url: str) -> None:
    name = database_url.rpartition("/")[2]
    as_owner(database_url, f"ALTER DATABASE {name} SET synchronous_commit = off")

    with opened(database_url) as database, pytest.raises(UnfitDatabase, match="synchronous_commit"):
        database.check()


def test_a_database_behind_the_code_is_refused(database_url: str) -> None:
    as_owner(database_url, "UPDATE alembic_version SET version_num = '0000'")

    with opened(database_url) as database, pytest.raises(UnfitDatabase, match="alembic upgrade head"):
        database.check()


def test_a_database_ahead_of_the_code_is_served(database_url: str) -> None:
    as_owner(database_url, "UPDATE alembic_version SET version_num = '9999'")

    with opened(database_url) as database:
        database.check()


def test_an_empty_database_is_refused(postgres: Postgres) -> None:
    url = postgres.create_database("empty")

    with opened(url) as database, pytest.raises(UnfitDatabase):
        database.check()
    postgres.drop_database("empty")


def test_a_row_that_stays_locked_is_busy(database: Database, database_url: str) -> None:
    give(database, "anna", 10)

    with psycopg.connect(database_url) as blocker:
        blocker.execute("SELECT user_id FROM credits.balances FOR UPDATE")
        with opened(database_url) as impatient, pytest.raises(Busy):
            give(impatient, "anna", 1)


def test_a_pool_in_use_is_busy(database_url: str) -> None:
    with opened(database_url) as database, database.single(), pytest.raises(Busy), database.single():
        pass


def test_connections_that_the_server_ended_while_they_were_idle_are_made_anew_unnoticed(
    database: Database, database_url: str
) -> None:
    def hold_one(_: int) -> None:
        with database.single() as store:
            store.run(text("SELECT pg_sleep(0.1)"))

    at_once(8, hold_one)
    as_owner(
        database_url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )

    others = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    eventually(lambda: rows(database_url, others) == [])
    for _ in range(8):
        hold_one(0)


def test_connections_that_cannot_be_made_leave_the_others_alone(database: Database, database_url: str) -> None:
    name = database_url.rpartition("/")[2]
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with database.single():
            inside.set()
            leave.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    inside.wait(60)
    elsewhere = database_url.replace(f"/{name}", "/postgres")
    as_owner(elsewhere, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    with pytest.raises(Unavailable), database.single():
        pass
    leave.set()
    holder.join()

    with database.single() as store:  # the one that was held, still open
        assert balances.balance_of(store, UserId("anna")).balance == 0
    as_owner(elsewhere, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
