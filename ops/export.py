"""`mana-credits export`: the books of a period as CSV."""

import csv
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from domain.rules.bookkeeping import Period
from domain.rules.texts import clean_text
from domain.store.bookkeeping import ledger_rows, purchase_rows, read_period
from ops.command import print_json
from ops.options import json_option
from ops.terminal import terminal
from process.parts import command_parts

DAY = click.DateTime(formats=["%Y-%m-%d"])
FORMULA = ("=", "+", "-", "@", "\t", "\r")


@click.command()
@click.option("--from", "begin", type=DAY, required=True, help="First day, UTC: 2026-11-01.")
@click.option("--to", "end", type=DAY, required=True, help="The day after the last one: 2026-12-01.")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Where to write; default: here.",
)
@json_option
def export(*, begin: datetime, end: datetime, directory: Path, as_json: bool) -> None:
    """Write summary.csv, ledger.csv and purchases.csv of a period [from, to)."""
    begin, end = begin.replace(tzinfo=UTC), end.replace(tzinfo=UTC)
    if begin >= end:
        sys.exit("--from must be before --to")
    directory.mkdir(parents=True, exist_ok=True)
    with command_parts() as parts, parts.database.read() as reader:
        books = read_period(reader, begin=begin, end=end)
        ledger_count = _write(directory / "ledger.csv", ledger_rows(reader, begin=begin, end=end))
        purchase_count = _write(directory / "purchases.csv", purchase_rows(reader, begin=begin, end=end))
    summary = summary_of(books)
    _write(directory / "summary.csv", ({"item": item, "value": value} for item, value in summary.items()))
    if not books.adds_up:
        sys.exit("The books of the period do not add up: run `mana-credits audit`")
    if as_json:
        print_json({**summary, "ledgerRows": ledger_count, "purchaseRows": purchase_count})
        return
    table = Table("Item", "Value", title=f"{begin:%Y-%m-%d} to {end:%Y-%m-%d}")
    for item, value in summary.items():
        table.add_row(item, str(value))
    terminal().print(table)
    print(f"{ledger_count} ledger rows and {purchase_count} purchases in {directory}")


def summary_of(books: Period) -> dict[str, int]:
    """List the figures of a period by name: credits first, then euro cents."""
    opening, closing = books.opening, books.closing
    return {
        "opening balance (credits)": opening.balances,
        **{f"in: {kind} (credits)": amount for kind, amount in books.came.items()},
        **{f"out: {kind} (credits)": amount for kind, amount in books.went.items()},
        "closing balance (credits)": closing.balances,
        "closing in open gifts (credits)": closing.gifts,
        "closing on hold (credits)": closing.holds,
        "closing outstanding (credits)": closing.outstanding,
        "paid in the period (cents)": books.sold,
        "refunded in the period (cents)": books.refunded,
        "opening deferred revenue (cents)": opening.deferred,
        "closing deferred revenue (cents)": closing.deferred,
        "earned in the period (cents)": books.earned,
    }


def _write(file: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write rows as CSV with a header; returns their number."""
    count = 0
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened)
        for count, row in enumerate(rows, 1):
            if count == 1:
                writer.writerow(row)
            writer.writerow([_cell(value) for value in row.values()])
    return count


def _cell(value: Any) -> Any:
    """Format a value so that no spreadsheet reads a user's text as a formula, and no terminal as a command."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    if not isinstance(value, str):
        return value
    text = clean_text(value)
    return f"'{text}" if text.startswith(FORMULA) else text
