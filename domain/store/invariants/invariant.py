"""What an invariant is."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Invariant:
    """A statement about the books, and the query for what contradicts it.

    Attributes:
        name: Stable, snake_case: the label of the metric.
        says: What is true when the query returns no rows.
        sql: Returns one text column, naming an offender a row.
    """

    name: str
    says: str
    sql: str
