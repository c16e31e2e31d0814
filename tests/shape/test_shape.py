"""The shape of the house: what would be forgotten, were it not looked at here."""

import ast
import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Final
from uuid import uuid4

import psycopg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from flask import Flask

import workers.handlers  # noqa: F401 - registers the handlers
from domain import errors
from domain.errors import Refusal
from domain.rules.job_kinds import KINDS, kind_named
from domain.rules.jobs import AnyKind, Payload, Queue, Result
from domain.store.schema import SCHEMA_REVISION
from gateways.bell import actor_name
from local.postgres import Postgres
from tests.conftest import ROOT
from web import admins, console, pages, public, services, stripe, users
from web.app import APIS
from web.http import auth
from web.http.auth import Guard
from web.http.problems import HTTP_STATUSES, STATUSES
from workers.registry import HANDLERS, TOGETHER

FILE_LINES_MAX: Final = 300
FUNCTION_LINES_MAX: Final = 40
PRODUCTION: Final = ("domain", "gateways", "process", "telemetry", "web", "workers", "ops")
ROOMS: Final = (*PRODUCTION, "local", "bench")
READS_THE_ENVIRONMENT: Final = {
    "telemetry/metrics.py": "prometheus_client's own switch for several processes",
    "process/supervise.py": "hands our environment on to the program it runs",
}
STATIC: Final = "static"
PAGES: Final = {"/credits", "/credits/return", "/gifts", "/g/<code>/qr.svg", "/settings/sync", "/signed-in"}
CONSOLE: Final = {
    "/ops",
    "/ops/login",
    "/ops/logout",
    "/ops/jobs",
    "/ops/jobs/<uuid:job_id>",
    "/ops/jobs/<uuid:job_id>/retry",
    "/ops/jobs/<uuid:job_id>/discard",
    "/ops/retry",
}


def sources(*rooms: str) -> Iterator[Path]:
    for room in rooms:
        yield from sorted((ROOT / room).rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def refusals(of: type[Refusal] = Refusal) -> Iterator[type[Refusal]]:
    for refusal in of.__subclasses__():
        yield refusal
        yield from refusals(refusal)


# ---------------------------------------------------------------- routes


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


def test_the_doors_that_are_open_are_these() -> None:
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

    assert guarded == CONSOLE - {"/ops/login"}
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
            waits = "answer_of(" in inspect.getsource(endpoint.view)
            assert waits == endpoint.queued, endpoint.path


def test_every_view_is_described() -> None:
    for api in APIS:
        for endpoint in api.endpoints:
            assert inspect.getdoc(endpoint.view), endpoint.path


# ---------------------------------------------------------------- refusals and jobs


def test_every_refusal_of_the_domain_has_a_status() -> None:
    for refusal in refusals():
        if refusal.__module__ == errors.__name__:
            assert refusal.code in STATUSES, refusal


def test_every_refusal_has_a_status_a_title_and_a_code_of_its_own() -> None:
    found = list(refusals())

    codes = [refusal.code for refusal in found]
    assert len(found) >= 4
    assert len(set(codes)) == len(codes)
    for refusal in found:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", refusal.code)
        assert 400 <= HTTP_STATUSES[refusal.code] < 600
        assert refusal.title
        assert refusal.__doc__


def test_every_kind_of_job_has_a_handler() -> None:
    assert len(KINDS) == 21
    assert set(HANDLERS) == set(KINDS.values())
    assert set(TOGETHER) <= set(KINDS.values())


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_kind_of_job_is_spelled_like_the_others_and_found_by_its_stored_names(kind: AnyKind) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", kind.name)
    assert issubclass(kind.payload, Payload)
    assert issubclass(kind.result, Result)
    assert {kind_named(name) for name in kind.names} == {kind}
    assert kind.every is None or kind.payload() is not None  # what the clock asks for needs no facts


def test_every_queue_is_consumed_by_the_worker_of_the_procfile() -> None:
    lines = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
    consumed = lines["worker"].partition("--queues ")[2].split()

    assert set(consumed) == {queue.value for queue in Queue}


def test_every_queue_has_an_actor() -> None:
    main = (ROOT / "workers" / "main.py").read_text(encoding="utf-8")

    assert "for queue in Queue:" in main
    assert {actor_name(queue) for queue in Queue} == {f"jobs-{queue.value}" for queue in Queue}


# ---------------------------------------------------------------- migrations


@pytest.fixture
def scratch(postgres: Postgres) -> Iterator[str]:
    name = f"scratch_{uuid4().hex[:12]}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


def alembic(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "alembic", *arguments],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url, "MIGRATION_DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def objects(url: str) -> list[tuple[str, ...]]:
    """Describe what is in a database: tables, columns, constraints, indexes, triggers, functions."""
    with psycopg.connect(url) as connection:
        return connection.execute("""
            SELECT 'column', table_schema || '.' || table_name || '.' || column_name, data_type || is_nullable
            FROM information_schema.columns WHERE table_schema IN ('credits', 'gifts', 'jobs')
            UNION ALL SELECT 'constraint', conname, pg_get_constraintdef(oid) FROM pg_constraint
            WHERE connamespace::regnamespace::text IN ('credits', 'gifts', 'jobs')
            UNION ALL SELECT 'index', indexname, indexdef FROM pg_indexes
            WHERE schemaname IN ('credits', 'gifts', 'jobs')
            UNION ALL SELECT 'trigger', tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
            UNION ALL SELECT 'function', proname, prosrc FROM pg_proc
            WHERE pronamespace::regnamespace::text IN ('credits', 'gifts', 'jobs')
            ORDER BY 1, 2, 3""").fetchall()


def test_there_is_one_head_and_it_is_the_revision_this_code_needs() -> None:
    script = ScriptDirectory.from_config(Config(toml_file=ROOT / "pyproject.toml"))

    assert script.get_heads() == [SCHEMA_REVISION]


def test_migrations_go_up_down_and_up_again_to_the_same(scratch: str) -> None:
    ways = [("upgrade", "head"), ("downgrade", "base"), ("upgrade", "head")]
    seen = []

    for way in ways:
        done = alembic(scratch, *way)
        assert done.returncode == 0, done.stderr
        seen.append(objects(scratch))

    assert len(seen[0]) > 100
    assert seen[1] == []
    assert seen[2] == seen[0]


def test_the_last_migration_can_be_taken_back(scratch: str) -> None:
    assert alembic(scratch, "upgrade", "head-1").returncode == 0
    before = objects(scratch)

    for way in (("upgrade", "head"), ("downgrade", "-1")):
        done = alembic(scratch, *way)
        assert done.returncode == 0, done.stderr

    assert objects(scratch) == before


def test_the_tables_of_the_code_are_those_of_the_migrations(scratch: str) -> None:
    assert alembic(scratch, "upgrade", "head").returncode == 0

    checked = alembic(scratch, "check")

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "No new upgrade operations detected" in checked.stdout


# ---------------------------------------------------------------- documents and sources


def test_every_operation_of_the_document_has_a_name_of_its_own(app: Flask) -> None:
    paths = app.test_client().get("/openapi.json").get_json()["paths"]

    names = [operation["operationId"] for operations in paths.values() for operation in operations.values()]
    assert len(set(names)) == len(names)


def test_every_reference_of_the_document_leads_somewhere(app: Flask) -> None:
    document = app.test_client().get("/openapi.json").get_json()

    referred = set(re.findall(r'"\$ref": "#/components/schemas/(\w+)"', json.dumps(document)))
    assert referred <= set(document["components"]["schemas"])


def test_every_member_of_the_document_has_a_type_so_that_generated_clients_have_one(app: Flask) -> None:
    schemas = app.test_client().get("/openapi.json").get_json()["components"]["schemas"]

    untyped = [
        f"{name}.{member}"
        for name, schema in schemas.items()
        for member, told in schema.get("properties", {}).items()
        if not {"type", "$ref", "anyOf", "const"} & set(told)
    ]
    free = [name for name, schema in schemas.items() if schema.get("additionalProperties") is True]
    assert untyped == []
    assert free == ["InsufficientCreditsProblem", "JsonObject", "Problem"]


def test_every_refusal_of_the_document_is_a_problem_with_its_codes(app: Flask) -> None:
    paths = app.test_client().get("/openapi.json").get_json()["paths"]

    for operations in paths.values():
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                if int(status) < 400 or operation["operationId"] == "getReadiness":
                    continue
                model = "InsufficientCreditsProblem" if status == "402" else "Problem"
                schema = answer["content"]["application/problem+json"]["schema"]
                assert schema == {"$ref": f"#/components/schemas/{model}"}
                assert answer["description"].startswith("Refused: `")


@pytest.mark.parametrize("room", ROOMS)
def test_no_file_is_long(room: str) -> None:
    long = {
        name_of(path): lines
        for path in sources(room)
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > FILE_LINES_MAX
    }

    assert long == {}


@pytest.mark.parametrize("room", ROOMS)
def test_no_function_is_long(room: str) -> None:
    long = {
        f"{name_of(path)}:{function.name}": lines
        for path in sources(room)
        for function in functions(ast.parse(path.read_text(encoding="utf-8")))
        if (lines := code_lines(function)) > FUNCTION_LINES_MAX
    }

    assert long == {}


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the lines of a function without its decorators and its docstring."""
    whole = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        return whole - ((first.end_lineno or first.lineno) - first.lineno + 1)
    return whole


def test_the_environment_is_read_in_one_place() -> None:
    readers = {
        name_of(path) for path in sources(*PRODUCTION) if re.search(r"\benviron\b(?!ment)|\bgetenv\b", code_of(path))
    }

    assert readers == set(READS_THE_ENVIRONMENT)


def code_of(path: Path) -> str:
    """Read a file's code: its names and attributes, without texts and comments."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
    attributes = [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    imported = [alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names]
    return "\n".join([*names, *attributes, *imported])


def test_nothing_outside_the_domain_is_refused_by_assert() -> None:
    for path in sources(*ROOMS):
        asserts = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Assert)]
        assert asserts == [], name_of(path)


def test_nobody_calls_commit() -> None:
    """Transactions are blocks; the one exception ends the setting up of a new connection."""
    allowed = {"domain/store/database.py:_prepare"}
    found = {
        f"{name_of(path)}:{function.name}"
        for path in sources(*ROOMS)
        for function in functions(ast.parse(path.read_text(encoding="utf-8")))
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute) and node.attr == "commit"
    }

    assert found <= allowed
