"""What browsers are told about other origins, and the headers every answer carries."""

from dataclasses import replace
from typing import Final

import pytest
from werkzeug.test import TestResponse

from settings import Settings
from tests.support.http import JSON, Api, Caller, problem_of
from tests.support.issuer import Issuer
from web.app import create_app

APP: Final = "https://app.example"
SHOP: Final = "https://shop.example"
PREFLIGHT: Final = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization, content-type, idempotency-key, prefer, x-app-id",
}


@pytest.fixture
def database_url(shared_database_url: str) -> str:
    return shared_database_url


def cors_of(answer: TestResponse) -> dict[str, str]:
    return {name: value for name, value in answer.headers if name.lower().startswith("access-control-")}


def names(listed: str) -> set[str]:
    return {name.strip().lower() for name in listed.split(",")}


@pytest.mark.parametrize("origin", [APP, SHOP])
def test_our_clients_may_read_answers_and_refusals(api: Api, origin: str) -> None:
    answer = api.user().get("/credits/balance", Origin=origin)
    refusal = api.nobody().get("/credits/balance", Origin=origin)

    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert refusal.headers["Access-Control-Allow-Origin"] == origin
    assert "Origin" in answer.headers["Vary"]


def test_our_clients_may_read_the_headers_of_the_contract(api: Api) -> None:
    answer = api.user().get("/credits/balance", Origin=APP)

    exposed = names(answer.headers["Access-Control-Expose-Headers"])
    assert exposed == {
        "link",
        "location",
        "retry-after",
        "idempotency-replayed",
        "preference-applied",
        "x-request-id",
    }


@pytest.mark.parametrize("path", ["/credits/use", "/credits/purchase"])
def test_a_preflight_needs_no_token(api: Api, path: str) -> None:
    answer = api.nobody().call("OPTIONS", path, headers={"Origin": APP, **PREFLIGHT})

    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == APP
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    wanted = names(PREFLIGHT["Access-Control-Request-Headers"])
    assert wanted <= names(answer.headers["Access-Control-Allow-Headers"])
    assert answer.headers["Access-Control-Max-Age"] == "600"


@pytest.mark.parametrize(
    "origin",
    [
        *("https://evil.example", "http://app.example", "https://app.example:8443", "https://app.example.evil.example"),
        *("https://evil-app.example", "https://appXexample", "null", "file://", "https://APP.example.", "*"),
    ],
)
def test_other_origins_are_told_nothing(api: Api, origin: str) -> None:
    answer = api.user().get("/credits/balance", Origin=origin)
    preflight = api.nobody().call("OPTIONS", "/credits/use", headers={"Origin": origin, **PREFLIGHT})

    assert cors_of(answer) == {}
    assert cors_of(preflight) == {}


@pytest.mark.parametrize("path", ["/metrics", "/health", "/ready", "/openapi.json", "/docs", "/"])
def test_the_pages_outside_of_the_api_are_not_for_other_origins(api: Api, path: str) -> None:
    for method in ("GET", "OPTIONS"):
        answer = api.outside().call(method, path, headers={"Origin": APP, **PREFLIGHT})

        assert cors_of(answer) == {}


@pytest.mark.parametrize("path", ["/internal/credits/balance/anna", "/internal/credits/use", "/webhooks/stripe"])
def test_services_and_stripe_are_no_browsers(api: Api, path: str) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        answer = api.service().call(method, path, headers={"Origin": APP, **PREFLIGHT}, data="{}", content_type=JSON)

        assert cors_of(answer) == {}


def test_credentials_are_never_allowed(api: Api) -> None:
    answer = api.user().get("/credits/balance", Origin=APP)

    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    ("path", "status"), [("/credits/balance", 200), ("/credits/none", 404), ("/credits/use", 405), ("/%00", 404)]
)
def test_every_answer_carries_the_common_headers(api: Api, path: str, status: int) -> None:
    answer = api.user().get(path)

    assert answer.status_code == status
    assert answer.headers.getlist("X-Content-Type-Options") == ["nosniff"]
    assert answer.headers.getlist("X-Frame-Options") == ["DENY"]
    assert answer.headers.getlist("Referrer-Policy") == ["no-referrer"]
    assert answer.headers.getlist("Cache-Control") == ["no-store"]
    assert len(answer.headers.getlist("X-Request-Id")) == 1


@pytest.mark.parametrize("request_id", ["a", "trace-1:2.3_4", "x" * 64, "019aa5d0-0000-7000-8000-000000000000"])
def test_a_decent_request_id_is_echoed(api: Api, request_id: str) -> None:
    assert api.user().get("/credits/balance", X_Request_Id=request_id).headers["X-Request-Id"] == request_id


@pytest.mark.parametrize("request_id", ["", " ", "x" * 65, "two words", "\xe4", '{"a":1}', "<script>", "a;b"])
def test_any_other_request_id_is_replaced(api: Api, request_id: str) -> None:
    echoed = api.user().get("/credits/balance", X_Request_Id=request_id).headers["X-Request-Id"]

    assert echoed != request_id
    assert len(echoed) == 32


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/credits/use", {"POST", "OPTIONS"}),
        ("DELETE", "/credits/use", {"POST", "OPTIONS"}),
        ("POST", "/credits/balance", {"GET", "HEAD", "OPTIONS"}),
        ("PUT", "/credits/purchase", {"POST", "OPTIONS"}),
        ("GET", "/webhooks/stripe", {"POST", "OPTIONS"}),
        ("PATCH", "/internal/credits/init", {"POST", "OPTIONS"}),
    ],
)
def test_a_method_that_is_not_there_is_told_which_are(api: Api, method: str, path: str, allowed: set[str]) -> None:
    caller: Caller = api.service() if path.startswith("/internal") else api.user()

    answer = caller.call(method, path)

    problem_of(answer, 405, "method_not_allowed")
    assert set(answer.headers["Allow"].split(", ")) == allowed


def test_answers_are_json_and_say_so(api: Api) -> None:
    assert api.user().get("/credits/balance").content_type == "application/json"


def test_an_application_without_origins_tells_no_origin_anything(settings: Settings, issuer: Issuer) -> None:
    app = create_app(replace(settings, cors_origins=()))

    answer = Api(app, issuer).nobody().call("OPTIONS", "/credits/use", headers={"Origin": APP, **PREFLIGHT})

    assert cors_of(answer) == {}
    app.extensions["mana_credits"].close()


@pytest.mark.parametrize(
    "origin", ["https://appxexample", "https://app.example.evil", "https://xapp.example", "HTTPS://APP.EXAMPLE", "null"]
)
def test_an_origin_that_only_looks_like_ours_reads_nothing(api: Api, origin: str) -> None:
    assert cors_of(api.user().get("/credits/balance", Origin=origin)) == {}


def test_an_origin_of_ipv6_is_compared_as_it_is(settings: Settings, issuer: Issuer) -> None:
    app = create_app(replace(settings, cors_origins=("http://[::1]:5173",)))
    caller = Api(app, issuer).nobody()

    assert caller.get("/credits/balance", Origin="http://[::1]:5173").headers["Access-Control-Allow-Origin"]
    assert cors_of(caller.get("/credits/balance", Origin="http://1:5173")) == {}
    app.extensions["mana_credits"].close()
