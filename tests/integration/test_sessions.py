"""Sessions with PostgreSQL: which addresses open them, how long they wait, and when they are thrown away."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import psycopg
import pytest
from sqlalchemy import text

from domain.errors import ReadOnly, Unavailable
from domain.store import Database
from domain.store.session_role import APP_ROLE
from domain.store.sessions import ANSWER_MARGIN_S, CONNECT_S, SessionSettings, open_session
from local.ports import free_port
from local.postgres import Postgres
from tests.support.paths import ROOT
from tests.support.plain_sql import rows
from tests.support.proxy import silent_proxy


@contextmanager
def opened(url: str, *, pool_size: int = 1, statement_timeout_s: float = 5) -> Iterator[Database]:
    database = Database(url, pool_size=pool_size, lock_timeout_s=0.3, statement_timeout_s=statement_timeout_s)
    try:
        yield database
    finally:
        database.close()


def backend(database: Database) -> int:
    """Name the session that the pool hands out."""
    with database.single() as store:
        pid: int = store.run(text("SELECT pg_backend_pid()")).scalar_one()
    return pid


def in_order(first: str, second: str, **parameters: str) -> str:
    """Write an address that names the hosts of two."""
    hosts = [f"{urlsplit(url).hostname}:{urlsplit(url).port}" for url in (first, second)]
    login = urlsplit(second).netloc.rpartition("@")[0]
    query = "&".join(f"{name}={value}" for name, value in parameters.items())
    return f"postgresql://{login}@{','.join(hosts)}{urlsplit(second).path}?{query}"


def test_a_session_that_gets_no_answer_is_closed_a_little_after_the_time_limit(database_url: str) -> None:
    with silent_proxy(database_url) as proxy, opened(proxy.before(database_url), statement_timeout_s=1) as database:
        backend(database)
        proxy.is_silent = True

        began = time.monotonic()
        with pytest.raises(Unavailable), database.begin() as store:
            store.run(text("SELECT 1"))
        took = time.monotonic() - began
        began = time.monotonic()
        with pytest.raises(Unavailable), database.single():
            pass
        took_to_connect = time.monotonic() - began

        proxy.is_silent = False
        assert backend(database)
    assert 1 <= took < 1 + ANSWER_MARGIN_S + 2
    assert took_to_connect < CONNECT_S + 2


def test_work_that_may_take_longer_is_waited_for_and_the_next_user_of_the_session_is_not(database_url: str) -> None:
    with silent_proxy(database_url) as proxy, opened(proxy.before(database_url), statement_timeout_s=0.2) as database:
        with database.begin() as store:
            store.allow_s(10)
            store.run(text("SELECT pg_sleep(:s)"), {"s": 0.5 + ANSWER_MARGIN_S})
        proxy.is_silent = True
        began = time.monotonic()
        with pytest.raises(Unavailable), database.single() as store:
            store.run(text("SELECT 1"))

    assert time.monotonic() - began < 0.2 + ANSWER_MARGIN_S + 2


def test_every_session_notices_a_peer_that_is_gone_and_the_address_may_say_how(database_url: str) -> None:
    with open_session(SessionSettings(url=database_url)) as session:
        parameters = session.info.get_parameters()
    with open_session(SessionSettings(url=f"{database_url}?tcp_user_timeout=4000&connect_timeout=9")) as session:
        named = session.info.get_parameters()

    assert (parameters["tcp_user_timeout"], parameters["keepalives_idle"]) == ("10000", "5")
    assert (named["tcp_user_timeout"], named["connect_timeout"], named["keepalives_idle"]) == ("4000", "9", "5")


@pytest.mark.parametrize("path", ["database", "migration"])
def test_the_first_of_two_hosts_may_be_dead(database_url: str, path: str) -> None:
    url = in_order(f"postgresql://127.0.0.1:{free_port()}/x", database_url, target_session_attrs="read-write")

    if path == "database":
        with opened(url) as database:
            database.check()
    else:
        environment = {"DATABASE_URL": url, "PATH": ""}
        command = [sys.executable, "-m", "alembic", "current"]
        done = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
        assert (done.returncode, done.stdout.split()[-1]) == (0, "(head)"), done.stderr


def test_the_first_of_two_hosts_may_be_read_only(
    database_url: str, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> None:
    name = database_url.rpartition("/")[2]
    settings = {"fsync": "off", "default_transaction_read_only": "on"}
    with Postgres(tmp_path_factory.mktemp("standby"), settings=settings) as standby:
        login = urlsplit(database_url)
        with psycopg.connect(standby.url(), autocommit=True, options="-c default_transaction_read_only=off") as other:
            other.execute(f"CREATE ROLE {login.username} LOGIN PASSWORD '{login.password}'")
            other.execute(f"CREATE DATABASE {name}")
        url = in_order(standby.url(), database_url, target_session_attrs="read-write")

        with opened(url) as database:
            database.check()
    assert postgres.port == login.port


def test_migrations_end_with_a_sentence_when_no_host_answers() -> None:
    environment = {"DATABASE_URL": f"postgresql://u:very-secret@127.0.0.1:{free_port()}/mana", "PATH": ""}
    command = [sys.executable, "-m", "alembic", "upgrade", "head"]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "the migrations cannot start" in done.stderr
    assert "very-secret" not in done.stderr


@pytest.mark.parametrize(
    "sqlstate",
    [
        "0A000",
        "08006",
        "25006",
        "26000",
        "42P05",
        "53100",
        "53200",
        "53300",
        "57P01",
        "57P03",
        "58030",
        "XX000",
        "XX002",
    ],
)
def test_a_session_that_may_fail_for_ever_is_used_no_more(database_url: str, sqlstate: str) -> None:
    with opened(database_url) as database:
        before = backend(database)
        with pytest.raises(Exception, match=r"no|PostgreSQL|read-only") as caught, database.single() as store:
            store.run(text(f"DO $$ BEGIN RAISE 'no' USING ERRCODE = '{sqlstate}'; END $$"))

        is_ours_to_explain = sqlstate.startswith(("0A", "26", "42", "XX"))
        assert isinstance(caught.value, Unavailable) is not is_ours_to_explain
        assert backend(database) != before


@pytest.mark.parametrize("sqlstate", ["22001", "23505", "23514", "40001", "40P01", "55P03", "57014", "P0001"])
def test_a_session_that_only_refused_is_used_again(database_url: str, sqlstate: str) -> None:
    with opened(database_url) as database:
        before = backend(database)
        with suppress(Exception), database.single() as store:
            store.run(text(f"DO $$ BEGIN RAISE 'no' USING ERRCODE = '{sqlstate}'; END $$"))

        assert backend(database) == before


def test_one_session_that_found_a_read_only_server_has_all_the_others_replaced(database_url: str) -> None:
    with opened(database_url, pool_size=2) as database:
        with database.single() as one, database.single() as other:
            pids = {store.run(text("SELECT pg_backend_pid()")).scalar_one() for store in (one, other)}
        with pytest.raises(ReadOnly), database.single() as store:
            store.run(text("DO $$ BEGIN RAISE 'no' USING ERRCODE = '25006'; END $$"))
        with database.single() as one, database.single() as other:
            assert not pids & {store.run(text("SELECT pg_backend_pid()")).scalar_one() for store in (one, other)}


def test_a_login_without_privileges_gets_its_session(database_url: str, postgres: Postgres) -> None:
    name = f"login_{database_url.rpartition('_')[2]}"
    rows(postgres.url(), f"CREATE ROLE {name} LOGIN PASSWORD 'p%%@/'")
    rows(postgres.url(), f"GRANT {APP_ROLE} TO {name}")
    try:
        with opened(
            database_url.replace(urlsplit(database_url).netloc.rpartition("@")[0], f"{name}:p%25%40%2F")
        ) as one:
            assert backend(one)
    finally:
        rows(postgres.url(), f"DROP ROLE {name}")
