"""`make bench`: start the local stack in a directory of its own, measure, print the tables, write them to docs."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from bench import gifts, scenarios
from bench.ground import Ground, Row
from bench.renewals import renewals
from bench.table import as_markdown, print_table, write_into
from local.stack import LocalStack

DOCUMENT: Final = Path(__file__).parent.parent / "docs" / "performance.md"
WRITE: Final = "--write"
SCENARIOS: Final[dict[str, Callable[[Ground], Iterator[Row]]]] = {
    "spending": scenarios.spending,
    "reading": scenarios.reading,
    "webhook": scenarios.webhook,
    "gifts": gifts.gifts,
    "holds": gifts.holds,
    "growth": scenarios.growth,
    "renewals": renewals,
}


def main(arguments: list[str]) -> None:
    """Run the named scenarios, or all; with `--write` replace their tables in the documentation."""
    names = [argument for argument in arguments if argument != WRITE]
    unknown = set(names) - set(SCENARIOS)
    if unknown:
        sys.exit(f"Unknown scenario: {', '.join(sorted(unknown))}. Choose from: {', '.join(SCENARIOS)}")
    seconds = float(os.environ.get("BENCH_SECONDS", "8"))
    with tempfile.TemporaryDirectory(prefix="mana-bench-") as directory, LocalStack(Path(directory)) as stack:
        ground = Ground(stack, seconds=seconds)
        ground.prepare()
        for name in names or SCENARIOS:
            rows = list(_print_rows(SCENARIOS[name](ground)))
            print_table(rows)
            if WRITE in arguments:
                write_into(DOCUMENT, name, as_markdown(rows, seconds))
        if WRITE in arguments and ground.plan:
            write_into(DOCUMENT, "plan", f"```\n{ground.plan}\n```")


def _print_rows(rows: Iterator[Row]) -> Iterator[Row]:
    for row in rows:
        print(f"{row.name}: {row.per_second:,.0f}/s", flush=True)
        yield row


if __name__ == "__main__":
    main(sys.argv[1:])
