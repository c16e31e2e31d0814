"""Migrations: one head, up and down and up again, and the tables that the code knows."""

import os
import subprocess
import sys
from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from domain.store.schema import SCHEMA_REVISION
from local.postgres import Postgres
from tests.support.paths import ROOT


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
