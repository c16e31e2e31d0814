"""`make bench`: start the local stack in a directory of its own, measure, print the table, write it to docs."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from bench import gifts, scenarios
from bench.ground import Ground, Row
from bench.table import as_markdown, print_table, write_into
from ops.local.stack import LocalStack

DOCUMENT: Final = Path(__file__).parent.parent / "docs" / "performance.md"
SCENARIOS: Final[dict[str, Callable[[Ground], Iterator[Row]]]] = {
    "spending": scenarios.spending,
    "reading": scenarios.reading,
    "webhook": scenarios.webhook,
    "gifts": gifts.gifts,
    "holds": gifts.holds,
    "growth": scenarios.growth,
}


def main(wanted: list[str]) -> None:
    """Run the scenarios named, or all."""
    unknown = set(wanted) - set(SCENARIOS)
    if unknown:
        sys.exit(f"Unknown: {', '.join(sorted(unknown))}. There are: {', '.join(SCENARIOS)}")
    seconds = float(os.environ.get("BENCH_SECONDS", "8"))
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="mana-bench-") as directory, LocalStack(Path(directory)) as stack:
        ground = Ground(stack, seconds=seconds)
        ground.prepare()
        for name in wanted or SCENARIOS:
            for row in SCENARIOS[name](ground):
                rows.append(row)
                print(f"{row.name}: {row.per_second:,.0f}/s", flush=True)
    print_table(rows)
    if not wanted:
        write_into(DOCUMENT, as_markdown(rows, seconds))


if __name__ == "__main__":
    main(sys.argv[1:])
