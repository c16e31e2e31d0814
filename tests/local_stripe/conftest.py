from collections.abc import Iterator

import pytest
import stripe

from tests.support.local_stripe import LocalStripe, Receiver


@pytest.fixture(scope="session")
def endpoint() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture(scope="session")
def process(endpoint: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStripe]:
    local = LocalStripe(tmp_path_factory.mktemp("stripe"), webhook_url=endpoint.url)
    yield local
    local.stop()


@pytest.fixture
def local(process: LocalStripe, endpoint: Receiver) -> LocalStripe:
    process.control("POST", "/reset")
    endpoint.forget()
    return process


@pytest.fixture
def receiver(local: LocalStripe, endpoint: Receiver) -> Receiver:  # noqa: ARG001 - after the reset
    return endpoint


@pytest.fixture
def client(local: LocalStripe) -> stripe.StripeClient:
    return local.client()
