"""What all tests share: real PostgreSQL, a fresh database for each test, and the books proved after each."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from flask import Flask

from domain.operations import credits as spending
from domain.rules.idempotency import ClientKey
from domain.rules.ledger import Movement, TransactionType
from domain.store import Database, invariants, ledger
from domain.units import Credits, UserId
from local.logins import APP_ROLE, OWNER, SERVICE, create_logins
from local.postgres import Postgres
from settings import Settings, from_environment
from tests.issuer import Issuer, running_issuer
from web.app import create_app

ROOT = Path(__file__).parent.parent
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

T = TypeVar("T")


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A server of our own, without fsync: no test pulls the plug of the machine."""
    with Postgres(tmp_path_factory.mktemp("postgres"), settings={"fsync": "off"}) as server:
        create_logins(server)
        with psycopg.connect(server.url(), autocommit=True) as superuser:
            # What tests do as the owner: break the books, end others' connections, work as the service would.
            superuser.execute(f"GRANT {APP_ROLE} TO {OWNER} WITH SET TRUE, INHERIT FALSE")
            superuser.execute(f"GRANT SET ON PARAMETER session_replication_role TO {OWNER}")
            superuser.execute(f"GRANT pg_signal_backend TO {OWNER}")
        yield server


@pytest.fixture(scope="session")
def template(postgres: Postgres) -> str:
    """A migrated database that every test's database is copied from."""
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
    """A fresh, migrated database, as the login of its owner; dropped afterwards."""
    name = f"test_{uuid4().hex[:12]}"
    yield postgres.create_database(name, template=template, owner=OWNER)
    postgres.drop_database(name)


@pytest.fixture
def service_url(postgres: Postgres, database_url: str) -> str:
    """The same database, as the login of web and workers, which owns nothing."""
    return postgres.url(database_url.rpartition("/")[2], SERVICE)


@pytest.fixture
def database(service_url: str) -> Iterator[Database]:
    """The database as web and workers see it. When the test has ended, every invariant must hold."""
    opened = Database(sqlalchemy_url(service_url), pool_size=40)
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
    """Settings of a web process without Redis: the bell is silent, what is accepted is recorded all the same."""
    return from_environment(
        {
            "DATABASE_URL": service_url,
            "REDIS_URL": "redis://127.0.0.1:1/0",
            "MANA_AUTH_URL": issuer.url,
            "MANA_SERVICE_KEY": "service-key",
            "MANA_SERVICE_KEY_PREVIOUS": "previous-key",
            "BASE_URL": "https://credits.example",
            "STRIPE_SECRET_KEY": "sk_test_1",
            "STRIPE_WEBHOOK_SECRET": "whsec_1,whsec_2",
            "CORS_ORIGINS": "https://app.example,https://shop.example",
            "JOB_WAIT_SECONDS": "0",
        }
    )


@pytest.fixture
def app(settings: Settings, database: Database) -> Iterator[Flask]:
    """The web application on this test's database."""
    made = create_app(settings)
    yield made
    made.extensions["mana_credits"].close()
    assert database is not None


def migrate(url: str) -> None:
    """Bring a database up to date, as `alembic upgrade head` does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIGRATION_DATABASE_URL", url)
        command.upgrade(Config(toml_file=ROOT / "pyproject.toml"), "head")


def sqlalchemy_url(url: str) -> str:
    """Name SQLAlchemy's driver in an address."""
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


def give(database: Database, user_id: str, amount: int) -> None:
    """Give a user credits to begin with."""
    movement = Movement(
        user_id=UserId(user_id),
        type=TransactionType.GRANT,
        amount=amount,
        app_id="test",
        counterparty="test:seed",
        description="To begin with",
        movement_key=f"seed:{uuid4()}",
    )
    with database.begin() as store:
        ledger.append(store, movement, now=NOW)


def use_of(
    user_id: str,
    amount: int = 1,
    *,
    app_id: str = "chat",
    description: str = "A question",
    metadata: dict[str, Any] | None = None,
    key: ClientKey | None = None,
) -> Movement:
    """A movement with which a user spends credits."""
    return spending.usage(
        user_id=UserId(user_id),
        amount=Credits(amount),
        app_id=app_id,
        description=description,
        metadata=metadata,
        key=key,
    )


def at_once(count: int, act: Callable[[int], T]) -> list[T | Exception]:
    """Call `act(0)` … `act(count - 1)` from as many threads, through a barrier; exceptions are returned."""
    barrier = threading.Barrier(count)

    def run(number: int) -> Any:
        barrier.wait()
        try:
            return act(number)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))
