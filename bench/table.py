"""The table of measurements, for the terminal and for the documentation."""

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from bench.ground import Row

HEAD: Final = ("What", "per second", "pgbench", "ratio", "service µs", "PostgreSQL µs", "p50 ms", "p99 ms", "")


def print_table(rows: Sequence[Row]) -> None:
    """Print the table."""
    table = Table(*HEAD, title="Beside pgbench, on the same server, in the same run")
    for row in rows:
        table.add_row(*_cells(row))
    Console(width=160).print(table)


def as_markdown(rows: Sequence[Row], seconds: float) -> str:
    """Build the table in Markdown, with the machine that it was measured on."""
    lines = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    lines += ["| " + " | ".join(_cells(row)) + " |" for row in rows]
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    heading = f"`make bench` on {datetime.now(UTC):%Y-%m-%d}: {machine}, {seconds:g} s a row."
    return "\n".join([heading, "", *lines])


def write_into(document: Path, name: str, text: str) -> None:
    """Replace the text between the two marks of that name in a document."""
    mark = f"<!-- {name} -->"
    before, _, rest = document.read_text(encoding="utf-8").partition(mark)
    _, _, after = rest.partition(mark)
    document.write_text(f"{before}{mark}\n{text}\n{mark}{after}", encoding="utf-8")


def _cells(row: Row) -> tuple[str, ...]:
    def number_text(number: float, digits: int = 0) -> str:
        return f"{number:,.{digits}f}" if number else ""

    return (
        row.name,
        number_text(row.per_second),
        number_text(row.beside),
        "" if row.ratio is None else f"{row.ratio:.2f}",
        number_text(row.service_us),
        number_text(row.postgresql_us),
        number_text(row.p50_ms, 1),
        number_text(row.p99_ms, 1),
        row.remark,
    )
