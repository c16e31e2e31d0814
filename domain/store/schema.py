"""What all tables have in common; each table is defined beside its statements, in the module of its subject.

The migrations make the tables; `alembic check` proves that both agree. Check constraints, triggers and functions are in
the migrations only.
"""

from typing import Any, Final

from sqlalchemy import BigInteger, Column, DateTime, MetaData, Text
from sqlalchemy.dialects.postgresql import JSONB

SCHEMA_REVISION: Final = "0009"
"""The migration this code needs. The service refuses to run on an older database."""

metadata = MetaData()


def instant(name: str, *, nullable: bool = False) -> Column[Any]:
    """Describe a column of instants."""
    return Column(name, DateTime(timezone=True), nullable=nullable)


def text_column(name: str, *, nullable: bool = False, default: str | None = None) -> Column[Any]:
    """Describe a column of texts."""
    return Column(name, Text, nullable=nullable, server_default=default)


def number(name: str, *, default: int | None = None) -> Column[Any]:
    """Describe a column of whole numbers: credits, euro cents, counters."""
    return Column(name, BigInteger, nullable=False, server_default=None if default is None else str(default))


def json_column(name: str, *, nullable: bool = True) -> Column[Any]:
    """Describe a column of JSON."""
    return Column(name, JSONB(none_as_null=True), nullable=nullable)
