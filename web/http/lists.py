"""Lists: newest first, a page at a time, with a cursor in the `Link` header (RFC 8288) to go on behind the last one."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from flask import request

from web.http.answer import Answer
from web.http.models import Page
from web.http.problems import BadRequest


def page_of(items: Sequence[Any], page: Page, *, last: str | None, filters: Mapping[str, str] | None = None) -> Answer:
    """Answer a page.

    Args:
        items: The page's items.
        last: What the next page goes on behind; `None` for an empty page.
        filters: Further members of the query that the next page must keep.
    """
    if last is None or len(items) < page.limit:
        return Answer(body=items)
    query = urlencode({**(filters or {}), "limit": page.limit, "cursor": encode(last)})
    return Answer(body=items, headers={"Link": f'<{request.path}?{query}>; rel="next"'})


def encode(position: str) -> str:
    """Make a cursor; clients are not to read it."""
    return base64.urlsafe_b64encode(position.encode()).decode().rstrip("=")


def decode(cursor: str) -> str:
    """Read a cursor.

    Raises:
        BadRequest: it is not one of ours.
    """
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise bad_cursor() from None


def bad_cursor() -> BadRequest:
    """Refuse a cursor."""
    errors = [{"field": "cursor", "message": "is not a cursor of this list"}]
    return BadRequest("The query is not valid", errors=errors)


def positioned(moment: datetime, row_id: UUID) -> str:
    """Write where a list in order of time goes on."""
    return f"{moment.isoformat()} {row_id}"


def position(cursor: str | None) -> tuple[datetime, UUID] | None:
    """Read where a list in order of time goes on; nothing without a cursor.

    Raises:
        BadRequest: it is not one of ours.
    """
    if cursor is None:
        return None
    moment, _, row_id = decode(cursor).partition(" ")
    try:
        behind = datetime.fromisoformat(moment), UUID(row_id)
    except ValueError:
        raise bad_cursor() from None
    if behind[0].tzinfo is None:
        raise bad_cursor()
    return behind
