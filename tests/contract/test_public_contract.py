"""Golden examples: what anyone may ask, and Stripe's webhook."""

import pytest

from domain.store import Database
from tests.support.forms import TIME, problem, status_and_body
from tests.support.http import JSON, Api, signed
from tests.support.webhook import BODY


def test_health(api: Api) -> None:
    expected = {"status": "ok", "service": "mana-credits", "timestamp": TIME}

    assert status_and_body(api.outside().get("/health")) == (200, expected)


def test_ready(api: Api) -> None:
    """Redis is away in these tests."""
    expected = {"status": "degraded", "postgresql": "ok", "redis": "unavailable"}

    assert status_and_body(api.outside().get("/ready")) == (200, expected)


def test_metrics_are_for_prometheus_and_not_for_pages_of_other_origins(api: Api) -> None:
    answer = api.outside().get("/metrics", Origin="https://app.example")

    assert answer.status_code == 200
    assert answer.content_type.startswith("text/plain; version=")
    assert "mana_database_up 1.0" in answer.text
    assert not [name for name in answer.headers.keys() if name.startswith("Access-Control-")]  # noqa: SIM118


def test_the_api_describes_itself(api: Api) -> None:
    document = api.outside().get("/openapi.json")
    page = api.outside().get("/docs")

    assert (document.status_code, document.content_type, document.get_json()["openapi"]) == (200, JSON, "3.1.0")
    assert (page.status_code, page.content_type) == (200, "text/html; charset=utf-8")


@pytest.mark.parametrize("secret", ["whsec_1", "whsec_2"])
def test_an_event_of_stripe(api: Api, secret: str) -> None:
    headers = {"Stripe_Signature": signed(BODY, secret=secret)}

    for _ in range(2):
        answer = api.nobody().call("POST", "/webhooks/stripe", data=BODY, content_type=JSON, headers=headers)
        assert status_and_body(answer) == (200, {"received": True})


@pytest.mark.parametrize(
    ("secret", "age_s", "detail"),
    [
        (None, 0, "The signature is missing or malformed"),
        ("whsec_3", 0, "The signature does not match"),
        ("whsec_1", 400, "The signature is too old or dated ahead"),
    ],
)
def test_an_event_that_is_not_of_stripe(
    api: Api, database: Database, secret: str | None, age_s: int, detail: str
) -> None:
    headers = {} if secret is None else {"Stripe_Signature": signed(BODY, secret=secret, age_s=age_s)}

    answer = api.nobody().call("POST", "/webhooks/stripe", data=BODY, content_type=JSON, headers=headers)

    expected = problem(400, "invalid_signature", "Invalid webhook", detail, error="Invalid webhook")
    assert status_and_body(answer) == expected
    assert database is not None
