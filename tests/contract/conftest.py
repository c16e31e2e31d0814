"""The callers whose requests and answers are the golden examples."""

import pytest

from tests.support.http import Api, Caller


@pytest.fixture
def anna(api: Api) -> Caller:
    return api.user("anna", name="Anna", email="anna@x.de")


@pytest.fixture
def mana_auth(api: Api) -> Caller:
    caller = api.service()
    caller.headers["X-App-Id"] = "mana-auth"
    return caller


@pytest.fixture
def admin(api: Api) -> Caller:
    return api.user("olga", role="admin")
