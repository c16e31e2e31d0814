"""Reading long lists a page at a time: each page begins behind the last row of the page before."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Table, select, tuple_

from domain.store.database import Reader

Position = tuple[datetime, UUID]
"""Where a list goes on: behind the row with this time and id."""


def newest_first(
    query: Select[Any], created_at: ColumnElement[Any], row_id: ColumnElement[Any], *, older_than: Position | None
) -> Select[Any]:
    """Order a query by time, newest first; `older_than` continues behind a row already seen."""
    if older_than is not None:
        query = query.where(tuple_(created_at, row_id) < older_than)
    return query.order_by(created_at.desc(), row_id.desc())


def overdue(
    reader: Reader, table: Table, *, status: str, now: datetime, behind: Position | None, most: int
) -> list[Position]:
    """Find the rows of a status whose `expires_at` has passed, the longest overdue first.

    Args:
        behind: Continues behind a row already seen.
    """
    expires_at, row_id = table.c.expires_at, table.c.id
    query = select(expires_at, row_id).where(table.c.status == status, expires_at <= now)
    if behind is not None:
        query = query.where(tuple_(expires_at, row_id) > behind)
    return [(row.expires_at, row.id) for row in reader.run(query.order_by(expires_at, row_id).limit(most))]
