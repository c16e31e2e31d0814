"""Routes: each stands behind a guard, and says what it does."""

import inspect
from types import ModuleType
from typing import Final

import pytest
from flask import Flask

from web import admins, console, pages, public, services, stripe, users
from web.app import APIS
from web.http import auth
from web.http.auth import Guard

STATIC: Final = "static"
PAGES: Final = {"/credits", "/credits/return", "/gifts", "/g/<code>/qr.svg", "/settings/sync", "/signed-in"}
CONSOLE: Final = {
    "/ops",
    "/ops/login",
    "/ops/login/begin",
    "/ops/login/return",
    "/ops/logout",
    "/ops/jobs",
    "/ops/jobs/<uuid:job_id>",
    "/ops/jobs/<uuid:job_id>/retry",
    "/ops/jobs/<uuid:job_id>/discard",
    "/ops/retry",
}


def test_every_route_belongs_to_one_api_and_so_to_one_guard(app: Flask) -> None:
    by_name = {api.name: api for api in APIS}

    for rule in app.url_map.iter_rules():
        if rule.endpoint == STATIC:
            continue
        owner = rule.endpoint.rpartition(".")[0]
        assert owner in by_name, rule
        assert isinstance(by_name[owner].guard, Guard), rule


def test_every_api_checks_its_guard_before_all_else(app: Flask) -> None:
    for api in APIS:
        first, *others = app.before_request_funcs[api.name]
        assert first == api._check  # noqa: SLF001
        assert {other.__qualname__ for other in others} <= {"Limiter._check_request_limit"}


def test_every_registered_endpoint_is_a_route(app: Flask) -> None:
    routes = {(rule.rule, method) for rule in app.url_map.iter_rules() for method in rule.methods or ()}

    for api in APIS:
        for endpoint in api.endpoints:
            assert (f"{api.url_prefix or ''}{endpoint.path}", endpoint.method) in routes


@pytest.mark.parametrize(
    ("caller", "guards"),
    [
        (users, {"user", "userOrService"}),
        (services, {"service"}),
        (admins, {"admin"}),
        (console, {None, "operator"}),
        (pages, {None}),
        (public, {None}),
        (stripe, {"stripeSignature"}),
    ],
)
def test_the_routes_of_a_caller_stand_behind_its_guard(caller: ModuleType, guards: set[str | None]) -> None:
    assert {api.guard.name for api in caller.APIS} == guards


def test_these_routes_and_no_others_are_open_to_everybody() -> None:
    open_doors = [endpoint.path for api in APIS if api.guard is auth.public for endpoint in api.endpoints]

    assert set(open_doors) == {"/health", "/ready", "/gifts/<ref>"}


def test_a_route_outside_of_the_api_is_public_and_known(app: Flask) -> None:
    outside = {rule.rule for rule in app.url_map.iter_rules() if not rule.rule.startswith("/api/v1/")}

    assert outside <= {
        "/health",
        "/ready",
        "/metrics",
        "/openapi.json",
        "/docs",
        "/static/<path:filename>",
        "/g/<code>",
        *PAGES,
        *CONSOLE,
    }


def test_the_console_is_open_to_operators_only(app: Flask) -> None:
    guarded = {rule.rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("console.")}

    assert guarded == CONSOLE - {"/ops/login", "/ops/login/begin", "/ops/login/return"}
    assert {api.guard.name for api in APIS if api.name == "console"} == {"operator"}


def test_no_view_takes_the_body_of_a_get() -> None:
    for api in APIS:
        for endpoint in api.endpoints:
            assert endpoint.method != "GET" or endpoint.body is None


def test_every_view_that_reads_a_key_says_so() -> None:
    for api in APIS:
        for endpoint in api.endpoints:
            reads_a_key = "client_key(" in inspect.getsource(endpoint.view)
            assert not reads_a_key or endpoint.keyed, endpoint.path


def test_every_view_that_waits_for_a_job_says_so() -> None:
    for api in APIS:
        for endpoint in api.endpoints:
            waits = "wait_and_answer(" in inspect.getsource(endpoint.view)
            assert waits == endpoint.queued, endpoint.path


def test_every_view_is_described() -> None:
    for api in APIS:
        for endpoint in api.endpoints:
            assert inspect.getdoc(endpoint.view), endpoint.path
