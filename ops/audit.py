"""`mana-credits audit`: check the invariants of the books."""

import sys
import time

import click
from rich.table import Table

from domain.store import invariants
from domain.store.invariants import INVARIANTS, Finding
from ops.command import print_json
from ops.options import json_option
from ops.terminal import terminal
from process.parts import command_parts


@click.command()
@json_option
def audit(*, as_json: bool) -> None:
    """Check every invariant of the books. Exits 1 if one does not hold."""
    began = time.perf_counter()
    with command_parts() as parts, parts.database.read() as reader:
        findings = invariants.audit(reader)
        rows = invariants.count_rows(reader)
    rate = int(rows / max(time.perf_counter() - began, 1e-6))
    if as_json:
        violations = {finding.invariant: {"count": finding.count, "examples": finding.examples} for finding in findings}
        print_json({"ledgerRows": rows, "rowsPerSecond": rate, "violations": violations})
    else:
        _print(findings, rows, rate)
    sys.exit(1 if findings else 0)


def _print(findings: list[Finding], rows: int, rate: int) -> None:
    broken = {finding.invariant: finding for finding in findings}
    table = Table("Invariant", "Meaning", "Violations", title="Audit")
    for invariant in INVARIANTS:
        finding = broken.get(invariant.name)
        violations = f"[red]{finding.count}: {', '.join(finding.examples)}" if finding else "[green]0"
        table.add_row(invariant.name, invariant.says, violations)
    console = terminal()
    console.print(table)
    console.print(
        f"{rows} ledger rows, {rate} rows/s: " + (f"{len(findings)} broken" if findings else "the books hold")
    )
