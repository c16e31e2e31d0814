"""Plain SQL and migrations beneath the store. A test gets its PostgreSQL from the fixtures in `tests/conftest.py`."""

import os
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config

from tests.support.paths import ROOT


def migrate(url: str) -> None:
    """Bring a database up to date, as `alembic upgrade head` does."""
    before = os.environ.get("DATABASE_URL")
    os.environ["DATABASE_URL"] = url
    try:
        command.upgrade(Config(toml_file=ROOT / "pyproject.toml"), "head")
    finally:
        if before is None:
            del os.environ["DATABASE_URL"]
        else:
            os.environ["DATABASE_URL"] = before


def sqlalchemy_url(url: str) -> str:
    """Name SQLAlchemy's driver in an address."""
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


def rows(url: str, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """Run SQL as an operator would; returns no rows for a statement that has none."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(sql, values)
        return cursor.fetchall() if cursor.description else []
