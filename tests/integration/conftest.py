"""A worker in this process with a local Stripe of its own, and the environment of the commands."""

from collections.abc import Iterator

import pytest

from domain.store import Database
from settings import Settings
from tests.support.in_process import STRIPE_TIMEOUT_S, InProcessService
from tests.support.local_stripe import API_KEY, LocalStripe
from tests.support.purchases import offer
from tests.support.worker import worker


@pytest.fixture(scope="session")
def stripe_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStripe]:
    local = LocalStripe(tmp_path_factory.mktemp("stripe"))
    yield local
    local.stop()


@pytest.fixture
def local(stripe_process: LocalStripe) -> LocalStripe:
    """A local Stripe that knows nothing yet; no webhook leaves it."""
    stripe_process.control("POST", "/reset")
    return stripe_process


@pytest.fixture
def in_process(database: Database, local: LocalStripe) -> InProcessService:
    """The service in this process; 500 credits are on sale for 4.50 €."""
    parts = worker(database, stripe_key=API_KEY, stripe_url=local.url, stripe_timeout_s=STRIPE_TIMEOUT_S)
    return InProcessService(database, local, parts, offer(database, name="Medium", price=450))


@pytest.fixture
def command_environment(
    settings: Settings, database_url: str, service_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Set the variables that the commands of `mana-credits` read."""
    for name, value in {
        "DATABASE_URL": service_url,
        "MIGRATION_DATABASE_URL": database_url,
        "REDIS_URL": settings.redis_url,
        "MANA_AUTH_URL": settings.auth_url,
        "MANA_SERVICE_KEY": "service-key",
        "STRIPE_SECRET_KEY": "sk_test_1",
        "STRIPE_WEBHOOK_SECRET": "whsec_1",
        "STRIPE_API_BASE": "http://127.0.0.1:1",
        "COLUMNS": "200",
    }.items():
        monkeypatch.setenv(name, value)
