"""Lists: newest first, a page at a time. The cursor of the next page is in the `Link` header (RFC 8288)."""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from flask import g, request

from domain.rules.instants import read_instant
from domain.store import Reader
from domain.store.paging import Position
from domain.units import UserId
from web.http.answer import Answer
from web.http.models import ListQuery
from web.http.parts import reading
from web.http.problems import BadRequest

Row = TypeVar("Row")
ReadRow_co = TypeVar("ReadRow_co", covariant=True)


class ReadRows(Protocol[ReadRow_co]):
    """Reads rows of a user, newest first, from after a position."""

    def __call__(
        self, reader: Reader, user_id: UserId, /, *, limit: int, offset: int, older_than: Position | None
    ) -> Sequence[ReadRow_co]:
        """Read at most `limit` rows."""


def list_own_rows(
    read: ReadRows[Row], query: ListQuery, *, position: Callable[[Row], Position], show: Callable[[Row], Any]
) -> Answer:
    """Answer with a page of the signed-in user's rows, in order of time.

    Args:
        position: Returns the position of a row.
        show: Builds the model of a row.

    Raises:
        BadRequest: the cursor is not one of this list.
    """
    older_than = read_position(query.cursor)
    with reading(g.user.id) as reader:
        rows = read(reader, g.user.id, limit=query.limit, offset=query.offset, older_than=older_than)
    last = write_position(position(rows[-1])) if rows else None
    return answer_page([show(row) for row in rows], query, last=last)


def answer_page(
    items: Sequence[Any], query: ListQuery, *, last: str | None, filters: Mapping[str, str] | None = None
) -> Answer:
    """Answer with a page, and with a link to the next one if there may be one.

    Args:
        items: The page's items.
        last: The position of the last item; `None` for an empty page.
        filters: Further members of the query that the next page must keep.
    """
    if last is None or len(items) < query.limit:
        return Answer(body=items)
    parameters = urlencode({**(filters or {}), "limit": query.limit, "cursor": encode_cursor(last)})
    return Answer(body=items, headers={"Link": f'<{request.path}?{parameters}>; rel="next"'})


def encode_cursor(position: str) -> str:
    """Build a cursor. Clients must not rely on what is in it."""
    return base64.urlsafe_b64encode(position.encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> str:
    """Read a cursor.

    Raises:
        BadRequest: it is not one of ours.
    """
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise bad_cursor() from None


def bad_cursor() -> BadRequest:
    """Build the refusal of a cursor."""
    errors = [{"field": "cursor", "message": "is not a cursor of this list"}]
    return BadRequest("The query is not valid", errors=errors)


def write_position(position: Position) -> str:
    """Write a position of a list in order of time as text."""
    moment, row_id = position
    return f"{moment.isoformat()} {row_id}"


def read_position(cursor: str | None) -> Position | None:
    """Read the position in a cursor of a list in order of time; `None` without a cursor.

    Raises:
        BadRequest: it is not one of ours.
    """
    if cursor is None:
        return None
    moment, _, row_id = decode_cursor(cursor).partition(" ")
    try:
        return read_instant(moment), UUID(row_id)
    except ValueError:
        raise bad_cursor() from None
