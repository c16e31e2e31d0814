"""What anyone may ask: health, readiness, metrics, the API's own description."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from domain.store import Database
from local.postgres import Postgres
from local.valkey import Valkey
from settings import Settings
from tests.support.credits import give
from tests.support.http import INSTANT_TEXT, Caller
from tests.support.paths import ROOT
from web.app import create_app

COMMITTED = ROOT / "docs" / "openapi.json"


@pytest.fixture
def anyone(app: Flask) -> Caller:
    return Caller(app, {}, base="")


def asked_with(settings: Settings, path: str) -> tuple[int, str]:
    """Ask an application of these settings; returns status and body."""
    app = create_app(settings)
    answer = Caller(app, {}, base="").get(path)
    app.extensions["mana_credits"].close()
    return answer.status_code, answer.get_data(as_text=True)


def nowhere(settings: Settings) -> Settings:
    return replace(settings, database_url="postgresql://mana@127.0.0.1:1/mana")


def test_health_says_that_the_process_is_alive(anyone: Caller) -> None:
    answer = anyone.get("/health")

    body = answer.get_json()
    assert answer.status_code == 200
    assert (body["status"], body["service"], sorted(body)) == ("ok", "mana-credits", ["service", "status", "timestamp"])
    assert re.fullmatch(INSTANT_TEXT, body["timestamp"])


def test_health_needs_neither_postgresql_nor_redis(settings: Settings) -> None:
    status, body = asked_with(nowhere(settings), "/health")

    assert (status, json.loads(body)["status"]) == (200, "ok")


def test_ready_without_redis_is_degraded_and_still_ready(anyone: Caller) -> None:
    answer = anyone.get("/ready")

    assert answer.status_code == 200
    assert answer.get_json() == {"status": "degraded", "postgresql": "ok", "redis": "unavailable"}


def test_ready_with_everything_there_is_ok(settings: Settings, valkey: Valkey) -> None:
    status, body = asked_with(replace(settings, redis_url=valkey.url()), "/ready")

    assert (status, json.loads(body)) == (200, {"status": "ok", "postgresql": "ok", "redis": "ok"})


def test_ready_without_postgresql_is_not_ready(settings: Settings) -> None:
    app = create_app(nowhere(settings))

    answer = Caller(app, {}, base="").get("/ready")

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.get_json() == {"status": "unavailable", "postgresql": "unavailable", "redis": "unavailable"}


def test_ready_on_a_database_that_was_never_migrated_is_not_ready(settings: Settings, postgres: Postgres) -> None:
    url = postgres.create_database("test_empty")

    status, body = asked_with(replace(settings, database_url=url), "/ready")

    assert (status, json.loads(body)["postgresql"]) == (503, "unfit")
    postgres.drop_database("test_empty")


def test_the_api_without_postgresql_asks_to_try_again(settings: Settings) -> None:
    app = create_app(nowhere(settings))

    answer = Caller(app, {"X-Service-Key": "service-key"}).get("/internal/credits/balance/anna")

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.get_json()["code"] == "database_unavailable"


def test_metrics_count_requests_and_show_the_state_of_the_service(anyone: Caller, database: Database) -> None:
    give(database, "anna", 5)
    anyone.get("/health")

    answer = anyone.get("/metrics")

    text = answer.get_data(as_text=True)
    assert answer.status_code == 200
    assert answer.content_type.startswith("text/plain; version=")
    for line in (
        r"^mana_database_up 1\.0$",
        r"^mana_database_pool_size 20\.0$",
        r"^mana_jobs_oldest_pending_seconds 0\.0$",
        r"^mana_audit_age_seconds -1\.0$",
        r'^mana_invariant_violations\{invariant="balance_is_sum"\} 0\.0$',
        r'^mana_http_requests_total\{method="GET",route="/health",status="200"\} [1-9]',
        r'^mana_http_request_seconds_bucket\{le="0\.005",route="/health"\} ',
    ):
        assert re.search(line, text, re.MULTILINE), line


def test_metrics_without_postgresql_say_that_it_is_away(settings: Settings) -> None:
    status, text = asked_with(nowhere(settings), "/metrics")

    assert status == 200
    assert "\nmana_database_up 0.0\n" in text


def test_metrics_name_no_path_a_client_made_up(anyone: Caller) -> None:
    anyone.get("/api/v1/credits/made-up-path")

    text = anyone.get("/metrics").get_data(as_text=True)

    assert "made-up-path" not in text
    assert 'route="unknown",status="404"' in text


def test_metrics_name_no_method_a_client_made_up(anyone: Caller) -> None:
    anyone.call("BREWED", "/api/v1/credits/balance")

    assert "BREWED" not in anyone.get("/metrics").get_data(as_text=True)


def test_the_openapi_document_is_served_as_it_is_committed(anyone: Caller) -> None:
    served = anyone.get("/openapi.json")

    assert served.content_type == "application/json"
    assert served.get_json() == json.loads(COMMITTED.read_text(encoding="utf-8"))


def test_the_docs_page_shows_every_operation_and_runs_no_script(anyone: Caller) -> None:
    page = anyone.get("/docs")

    text = page.get_data(as_text=True)
    assert page.status_code == 200
    assert page.content_type == "text/html; charset=utf-8"
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "<script" not in text
    for path in anyone.get("/openapi.json").get_json()["paths"]:
        assert f"<code>{path}</code>" in text


def test_the_docs_page_finds_its_style(anyone: Caller) -> None:
    text = anyone.get("/docs").get_data(as_text=True)
    link = re.search(r'href="(/static/[^"]+)"', text)

    assert link is not None
    assert anyone.get(link[1]).status_code == 200


@pytest.mark.parametrize("path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static/"])
def test_only_static_files_are_static(anyone: Caller, path: str) -> None:
    answer = anyone.get(path)

    assert answer.status_code == 404
    assert (ROOT / "web" / "app.py").exists()
    assert not Path(path).exists()
