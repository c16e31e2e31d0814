"""The credit packages on sale."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Boolean, Column, Integer, Row, Table, UniqueConstraint, Uuid, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from domain.ids import new_id
from domain.rules.purchases import Package
from domain.store.database import Reader, Store
from domain.store.schema import instant, json_column, metadata, number, text_column
from domain.units import Credits, EuroCents

packages = Table(
    "packages",
    metadata,
    Column("id", Uuid, primary_key=True),
    text_column("name"),
    text_column("description", default=""),
    number("credits"),
    number("price_euro_cents"),
    text_column("stripe_price_id", nullable=True),
    Column("active", Boolean, nullable=False, server_default=text("true")),
    Column("sort_order", Integer, nullable=False, server_default="0"),
    json_column("metadata"),
    instant("created_at"),
    instant("updated_at"),
    UniqueConstraint("name", name="packages_name_key"),
    schema="credits",
)

_FIELDS: Final = (
    "id",
    "name",
    "description",
    "credits",
    "price_euro_cents",
    "stripe_price_id",
    "active",
    "sort_order",
    "metadata",
)


def find(reader: Reader, package_id: UUID) -> Package | None:
    """Read a package."""
    row = reader.first(select(packages).where(packages.c.id == package_id))
    return None if row is None else _package(row)


def all_packages(reader: Reader, *, only_active: bool) -> list[Package]:
    """Read the packages in the order they are offered."""
    query = select(packages).order_by(packages.c.sort_order, packages.c.credits)
    return [_package(row) for row in reader.run(query.where(packages.c.active) if only_active else query)]


def add(
    store: Store,
    *,
    name: str,
    credit_count: Credits,
    price: EuroCents,
    description: str,
    sort_order: int,
    now: datetime,
) -> Package | None:
    """Put a package on sale; returns `None` if there is one of this name."""
    fresh = insert(packages).values(
        id=new_id(),
        name=name,
        description=description,
        credits=credit_count,
        price_euro_cents=price,
        sort_order=sort_order,
        created_at=now,
        updated_at=now,
    )
    row = store.first(fresh.on_conflict_do_nothing(constraint="packages_name_key").returning(packages))
    return None if row is None else _package(row)


def change(store: Store, name: str, values: Mapping[str, Any], *, now: datetime) -> Package | None:
    """Change a package. Purchases keep the credits and the price they were started with."""
    changed = update(packages).where(func.lower(packages.c.name) == name.lower()).values(**values, updated_at=now)
    row = store.first(changed.returning(packages))
    return None if row is None else _package(row)


def _package(row: Row[Any]) -> Package:
    values = row._mapping  # noqa: SLF001 - SQLAlchemy's public way to read a row by name
    return Package(**{name: values[name] for name in _FIELDS})
