"""`mana-credits packages` and `mana-credits seed`: what is on sale."""

import sys
from dataclasses import asdict
from datetime import UTC, datetime

import click
from rich.markup import escape
from rich.table import Table

from domain.operations.packages import add_package, change_package
from domain.operations.packages import seed as seed_packages
from domain.store import packages as package_rows
from domain.units import Credits, EuroCents
from ops.command import exit_on_refusal, price_text, print_json
from ops.options import FreeText, SearchText, json_option
from ops.terminal import end_with, terminal
from process.parts import command_parts


@click.command()
def seed() -> None:
    """Put the first packages on sale. Packages that exist stay as they are."""
    with command_parts() as parts, parts.database.begin() as store:
        added = seed_packages(store, now=datetime.now(UTC))
    print(f"{len(added)} packages added")


@click.group()
def packages() -> None:
    """See and change the packages on sale."""


@packages.command("list")
@json_option
def list_packages(*, as_json: bool) -> None:
    """List all packages."""
    with command_parts() as parts, parts.database.read() as reader:
        offer = package_rows.all_packages(reader, only_active=False)
    if as_json:
        print_json([asdict(package) for package in offer])
        return
    table = Table("Name", "Credits", "Price", "On sale", "Order", "Id")
    for package in offer:
        price = price_text(package.price_euro_cents)
        name, on_sale = escape(package.name), "yes" if package.active else "no"
        table.add_row(name, str(package.credits), price, on_sale, str(package.sort_order), str(package.id))
    terminal().print(table)


@packages.command()
@click.argument("name", type=FreeText())
@click.option("--credits", "credit_count", type=click.IntRange(1, 1_000_000), required=True)
@click.option("--price-cents", type=click.IntRange(50, 99_999_999), required=True, help="Price in euro cents.")
@click.option("--description", type=FreeText(), default="")
@click.option("--sort-order", default=100)
def add(*, name: str, credit_count: int, price_cents: int, description: str, sort_order: int) -> None:
    """Put a package on sale."""
    with command_parts() as parts, parts.database.begin() as store:
        package = add_package(
            store,
            name=name,
            credit_count=Credits(credit_count),
            price=EuroCents(price_cents),
            description=description,
            sort_order=sort_order,
            now=datetime.now(UTC),
        )
    if package is None:
        end_with(f"There is a package {name} already")


@packages.command()
@click.argument("name", type=SearchText())
@click.option("--active/--inactive", default=None, help="Whether it is on sale.")
@click.option("--price-cents", "price_euro_cents", type=click.IntRange(50, 99_999_999), help="Price in euro cents.")
@click.option("--credits", "credits", type=click.IntRange(1, 1_000_000))
@click.option("--description", type=FreeText())
@click.option("--sort-order", type=int)
def change(name: str, **values: object) -> None:
    """Change a package. Purchases made before keep their credits and price."""
    changes = {field: value for field, value in values.items() if value is not None}
    if not changes:
        sys.exit("Nothing to change: give at least one option")
    with exit_on_refusal(), command_parts() as parts, parts.database.begin() as store:
        change_package(store, name=name, values=changes, now=datetime.now(UTC))
