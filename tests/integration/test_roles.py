"""The logins of docs/production.md on servers of their own, of this PostgreSQL and of one before 16."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text

from domain.store import Database, UnfitDatabase
from local.postgres import Postgres
from tests.support.credits import give
from tests.support.paths import ROOT

DEBIANS: Final = Path("/usr/lib/postgresql/15/bin")
ONE, SERVICE, OWNER = "mana_credits", "mana_credits_web", "mana_credits_migrations"


class Postgres15(Postgres):
    """PostgreSQL 15, where members of a role may always change to it."""

    def binary(self, name: str) -> str:
        """Return the path of Debian's program."""
        return str(DEBIANS / name)


@pytest.fixture(scope="module", params=[Postgres, Postgres15], ids=["current", "15"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    if request.param is Postgres15 and not (DEBIANS / "postgres").exists():
        pytest.skip("no PostgreSQL 15 on this machine")
    with request.param(tmp_path_factory.mktemp("roles"), settings={"fsync": "off"}) as running:
        yield running


@pytest.fixture
def sql(server: Postgres) -> Iterator[Callable[[str], None]]:
    """Run SQL as the superuser, on a server without our roles."""

    def run(statements: str) -> None:
        with psycopg.connect(server.url(), autocommit=True) as superuser:
            for statement in statements.split(";"):
                superuser.execute(statement)

    yield run
    run("DROP DATABASE IF EXISTS mana WITH (FORCE)")
    for role in (SERVICE, OWNER, ONE, "mana_credits_app"):
        run(f"DROP ROLE IF EXISTS {role}")


def password(server: Postgres, login: str) -> str:
    return f"LOGIN PASSWORD '{server.password(login)}'"


def migrate(server: Postgres, login: str, revision: str = "head") -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIGRATION_DATABASE_URL", server.url("mana", login))
        command.upgrade(Config(toml_file=ROOT / "pyproject.toml"), revision)


def opened(server: Postgres, login: str, *, as_app: bool = True) -> Database:
    return Database(server.url("mana", login), pool_size=1, as_app=as_app)


def role_of(server: Postgres, login: str) -> str:
    """Work as the service does; returns the role it works as."""
    with closing(opened(server, login)) as database:
        database.check()
        give(database, "anna", 10)
        with database.single() as store:
            return str(store.run(text("SELECT current_user")).scalar_one())


def refusal(server: Postgres, login: str, *, as_app: bool = True) -> str:
    with closing(opened(server, login, as_app=as_app)) as database:
        with pytest.raises(UnfitDatabase) as refused:
            database.check()
        return str(refused.value)


def test_one_login_that_may_create_roles_migrates_and_serves(server: Postgres, sql: Callable[[str], None]) -> None:
    sql(f"CREATE ROLE {ONE} CREATEROLE {password(server, ONE)}; CREATE DATABASE mana OWNER {ONE}")

    migrate(server, ONE)

    assert role_of(server, ONE) == "mana_credits_app"


def test_one_login_that_may_not_create_roles_migrates_and_serves(server: Postgres, sql: Callable[[str], None]) -> None:
    sql(f"""CREATE ROLE mana_credits_app NOLOGIN; CREATE ROLE {ONE} {password(server, ONE)};
            GRANT mana_credits_app TO {ONE}; CREATE DATABASE mana OWNER {ONE}""")

    migrate(server, ONE)

    assert role_of(server, ONE) == "mana_credits_app"


def test_of_two_logins_the_services_is_nobody_else_and_cannot_become_it(
    server: Postgres, sql: Callable[[str], None]
) -> None:
    sql(f"""CREATE ROLE mana_credits_app NOLOGIN; CREATE ROLE {OWNER} {password(server, OWNER)};
            CREATE ROLE {SERVICE} {password(server, SERVICE)} IN ROLE mana_credits_app;
            CREATE DATABASE mana OWNER {OWNER}""")

    migrate(server, OWNER)

    assert role_of(server, SERVICE) == SERVICE
    for act in ("RESET ROLE", f"SET ROLE {OWNER}", f"SET SESSION AUTHORIZATION {OWNER}"):
        with psycopg.connect(server.url("mana", SERVICE), autocommit=True) as service:
            if act == "RESET ROLE":
                service.execute(act)
            else:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    service.execute(act)
            for statement in (
                "UPDATE credits.balances SET balance = 1000",
                "ALTER TABLE credits.transactions DISABLE TRIGGER ALL",
                "CREATE OR REPLACE FUNCTION credits.clock_tolerance() RETURNS interval LANGUAGE sql AS 'SELECT NULL'",
                "SELECT credits.erase('anna', NULL)",
                "CREATE TABLE credits.mine (id int)",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    service.execute(statement)


def test_a_database_whose_migrations_granted_no_set_is_repaired(server: Postgres, sql: Callable[[str], None]) -> None:
    if isinstance(server, Postgres15):
        pytest.skip("no such grant before 16")
    sql(f"CREATE ROLE {ONE} CREATEROLE {password(server, ONE)}; CREATE DATABASE mana OWNER {ONE}")
    migrate(server, ONE, "0006")
    sql(f"REVOKE mana_credits_app FROM {ONE} GRANTED BY {ONE}")  # as 0001 left it before
    assert "may not SET ROLE mana_credits_app" in refusal(server, ONE)

    migrate(server, ONE)

    assert role_of(server, ONE) == "mana_credits_app"


def test_a_login_that_owns_the_tables_and_cannot_leave_that_behind_is_refused(
    server: Postgres, sql: Callable[[str], None]
) -> None:
    sql(f"""CREATE ROLE mana_credits_app NOLOGIN; CREATE ROLE {OWNER} {password(server, OWNER)};
            CREATE DATABASE mana OWNER {OWNER}""")
    migrate(server, OWNER)

    said = refusal(server, OWNER)

    assert f"the login {OWNER} can change the ledger and may not SET ROLE mana_credits_app" in said
    assert f"GRANT mana_credits_app TO {OWNER}" in said


def test_a_login_with_more_rights_than_the_services_works_with_the_services_alone(
    server: Postgres, sql: Callable[[str], None]
) -> None:
    sql(f"""CREATE ROLE mana_credits_app NOLOGIN; CREATE ROLE {OWNER} {password(server, OWNER)};
            CREATE ROLE {SERVICE} {password(server, SERVICE)} IN ROLE mana_credits_app, pg_write_all_data;
            CREATE DATABASE mana OWNER {OWNER}""")
    migrate(server, OWNER)

    assert role_of(server, SERVICE) == "mana_credits_app"


def test_a_login_without_the_services_role_is_refused(server: Postgres, sql: Callable[[str], None]) -> None:
    sql(f"""CREATE ROLE mana_credits_app NOLOGIN; CREATE ROLE {OWNER} {password(server, OWNER)};
            CREATE ROLE {SERVICE} {password(server, SERVICE)}; CREATE DATABASE mana OWNER {OWNER}""")
    migrate(server, OWNER)

    assert f"run `GRANT mana_credits_app TO {SERVICE}`" in refusal(server, SERVICE)
    assert "set MIGRATION_DATABASE_URL" in refusal(server, SERVICE, as_app=False)


def test_a_migration_that_may_not_create_the_role_says_what_to_run(
    server: Postgres, sql: Callable[[str], None]
) -> None:
    sql(f"CREATE ROLE {ONE} {password(server, ONE)}; CREATE DATABASE mana OWNER {ONE}")

    with pytest.raises(Exception, match="CREATE ROLE mana_credits_app NOLOGIN"):
        migrate(server, ONE)
