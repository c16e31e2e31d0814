"""The packages on sale: seeded once, changed by operators."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from domain.errors import NotFound
from domain.rules.purchases import Package
from domain.store import Store
from domain.store import packages as package_rows
from domain.units import Credits, EuroCents

STARTING_OFFER: Final = (
    ("Small", Credits(100), EuroCents(100), "For a try"),
    ("Medium", Credits(500), EuroCents(475), "5 % off"),
    ("Large", Credits(1_000), EuroCents(900), "10 % off"),
    ("Extra large", Credits(5_000), EuroCents(4_250), "15 % off"),
)
"""What a fresh database offers: name, credits, price, description."""


def seed(store: Store, *, now: datetime) -> list[Package]:
    """Put the packages of the starting offer on sale whose names are not there yet; returns those that were added.

    What operators have changed stays as it is.
    """
    added = []
    for position, (name, credit_count, price, description) in enumerate(STARTING_OFFER, 1):
        package = package_rows.add(
            store,
            name=name,
            credit_count=credit_count,
            price=price,
            description=description,
            sort_order=position * 10,
            now=now,
        )
        if package is not None:
            added.append(package)
    return added


def add_package(
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
    return package_rows.add(
        store,
        name=name,
        credit_count=credit_count,
        price=price,
        description=description,
        sort_order=sort_order,
        now=now,
    )


def change_package(store: Store, *, name: str, values: Mapping[str, Any], now: datetime) -> Package:
    """Change a package. Purchases keep the credits and the price they were started with.

    Raises:
        NotFound: there is no package of this name.
    """
    package = package_rows.change(store, name, values, now=now)
    if package is None:
        raise NotFound("Package")
    return package
