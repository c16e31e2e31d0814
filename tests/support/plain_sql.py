"""Plain SQL and migrations beneath the store. A test gets its PostgreSQL from the fixtures in `tests/conftest.py`."""

from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.config import Config

from tests.support.paths import ROOT


def migrate(url: str) -> None:
    """Bring a database up to date, as `alembic upgrade head` does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIGRATION_DATABASE_URL", url)
        command.upgrade(Config(toml_file=ROOT / "pyproject.toml"), "head")


def rows(url: str, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """Run SQL as an operator would; returns no rows for a statement that has none."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(sql, values)
        return cursor.fetchall() if cursor.description else []
