"""What must be true of the books at any moment. Each invariant is one query; every row it returns breaks it."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import text

from domain.store.database import Reader
from domain.store.invariants import gifts, holds, jobs, ledger, purchases, sync, usage
from domain.store.invariants.invariant import Invariant

INVARIANTS: Final[tuple[Invariant, ...]] = (
    *ledger.INVARIANTS,
    *purchases.INVARIANTS,
    *sync.INVARIANTS,
    *gifts.INVARIANTS,
    *holds.INVARIANTS,
    *usage.INVARIANTS,
    *jobs.INVARIANTS,
)

EXAMPLES_MAX: Final = 5
"""How many offenders a finding names."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """An invariant that does not hold: how many offenders, and a few of them."""

    invariant: str
    says: str
    count: int
    examples: tuple[str, ...]


def audit(reader: Reader) -> list[Finding]:
    """Run every invariant of the books; an empty list proves them right.

    Reads everything: seconds on a large ledger, without a lock that anyone waits for.
    """
    findings = (check(reader, invariant) for invariant in INVARIANTS)
    return [finding for finding in findings if finding is not None]


def check(reader: Reader, invariant: Invariant) -> Finding | None:
    """Run one invariant; returns `None` if it holds."""
    query = text(
        f"WITH offender (name) AS ({invariant.sql}) "
        f"SELECT (SELECT count(*) FROM offender), ARRAY(SELECT name FROM offender LIMIT {EXAMPLES_MAX})"
    )
    count, examples = reader.run(query).one()
    if not count:
        return None
    return Finding(invariant=invariant.name, says=invariant.says, count=count, examples=tuple(examples))


def count_rows(reader: Reader) -> int:
    """Count the rows of the ledger."""
    rows: int = reader.run(text("SELECT count(*) FROM credits.transactions")).scalar_one()
    return rows
