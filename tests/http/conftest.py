"""The API under test: in this process for most tests, behind a real server for what only a real one shows."""

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from domain.store import Database
from local.logins import OWNER, SERVICE
from local.postgres import Postgres
from local.valkey import Valkey
from tests.support.credits import give
from tests.support.http import bearer
from tests.support.issuer import Issuer
from tests.support.web_server import Server, running_server


@pytest.fixture(scope="session")
def shared_database_url(postgres: Postgres, template: str) -> Iterator[str]:
    """One database for all tests that do not care what else is in it."""
    yield postgres.create_database("test_shared", template=template, owner=OWNER)
    postgres.drop_database("test_shared")


@pytest.fixture(scope="session")
def server(postgres: Postgres, template: str, issuer: Issuer) -> Iterator[Server]:
    """A web server in a process of its own, with a database of its own."""
    postgres.create_database("test_served", template=template, owner=OWNER)
    with running_server(database_url=postgres.url("test_served", SERVICE), auth_url=issuer.url) as running:
        yield running
    postgres.drop_database("test_served")


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """A Valkey for the tests of one file."""
    with Valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def anna(issuer: Issuer, database: Database) -> dict[str, str]:
    """Headers of a user with 1 000 credits."""
    give(database, "anna", 1_000)
    return bearer(issuer, "anna", name="Anna", email="anna@x.de")


@pytest.fixture
def ben(issuer: Issuer) -> dict[str, str]:
    """Headers of a user with an address and no credits."""
    return bearer(issuer, "ben", email="Friend@X.de")
