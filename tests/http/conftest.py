"""The API under test: in this process for most tests, behind a real server for what only a real one shows."""

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest
from flask import Flask
from flask.testing import FlaskClient

from domain.store import Database
from local import tether
from local.logins import OWNER, SERVICE
from local.ports import free_port
from local.postgres import Postgres
from tests.conftest import ROOT, give
from tests.http.client import Api, bearer
from tests.issuer import Issuer

READY_WITHIN_S = 20.0


@pytest.fixture
def api(app: Flask, issuer: Issuer) -> Api:
    return Api(app, issuer)


@pytest.fixture(scope="session")
def shared_database_url(postgres: Postgres, template: str) -> Iterator[str]:
    """One database for all tests that do not care what else is in it."""
    yield postgres.create_database("test_shared", template=template, owner=OWNER)
    postgres.drop_database("test_shared")


@dataclass(frozen=True, kw_only=True)
class Server:
    """A web server of this API: where it listens, and the database behind it."""

    port: int
    database_url: str


@pytest.fixture(scope="session")
def server(postgres: Postgres, template: str, issuer: Issuer) -> Iterator[Server]:
    """A granian process as the Procfile starts it, but with one worker. It is gone when the tests have ended."""
    port = free_port()
    postgres.create_database("test_served", template=template, owner=OWNER)
    url = postgres.url("test_served", SERVICE)
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": url,
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "MANA_AUTH_URL": issuer.url,
        "MANA_SERVICE_KEY": "service-key",
        "STRIPE_SECRET_KEY": "sk_test_1",
        "STRIPE_WEBHOOK_SECRET": "whsec_1",
        "CORS_ORIGINS": "https://app.example",
        "JOB_WAIT_SECONDS": "0",
    }
    options = ["--interface", "wsgi", "--factory", "--host", "127.0.0.1", "--port", str(port)]
    limits = ["--workers", "1", "--blocking-threads", "4", "--log-level", "warning"]
    # The tether ends it also when the tests are killed.
    tied = [sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), str(int(signal.SIGTERM)), "-"]
    command = [*tied, sys.executable, "-m", "granian", *options, *limits, "web.app:create_app"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        _wait_for(port, process)
        yield Server(port=port, database_url=url)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            # The group is ours alone: the server and its worker.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        postgres.drop_database("test_served")


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
            try:
                connection.request("GET", "/health")
                if connection.getresponse().status == 200:
                    return
            except OSError:
                time.sleep(0.05)
    pytest.fail("the web server did not become ready")


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
