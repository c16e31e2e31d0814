"""The callers whose requests and answers are the golden examples."""

import pytest
from flask import Flask

from tests.http.client import Api, Caller
from tests.issuer import Issuer


@pytest.fixture
def api(app: Flask, issuer: Issuer) -> Api:
    return Api(app, issuer)


@pytest.fixture
def anna(api: Api) -> Caller:
    return api.user("anna", name="Anna", email="anna@x.de")


@pytest.fixture
def service(api: Api) -> Caller:
    called = api.service()
    called.headers["X-App-Id"] = "mana-auth"
    return called


@pytest.fixture
def admin(api: Api) -> Caller:
    return api.user("olga", role="admin")
