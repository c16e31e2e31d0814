"""Ids are made here, in Python, so that a row's id is known before it is written."""

import time
from datetime import datetime
from random import getrandbits as _random
from uuid import UUID

_VERSION = 0x7 << 76
_VARIANT = 0b10 << 62


def first_id_of(moment: datetime) -> UUID:
    """Return the smallest id that `new_id` could make at a moment: a scan of rows by id may begin there."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def new_id() -> UUID:
    """Make a UUID version 7 (RFC 9562, section 5.7): milliseconds since 1970, then 74 random bits.

    The leading time keeps the indexes append-mostly and orders rows roughly; no rule depends on it. An id is no secret:
    knowing one gives no access to anything.
    """
    milliseconds = time.time_ns() // 1_000_000
    return UUID(int=milliseconds << 80 | _VERSION | _random(12) << 64 | _VARIANT | _random(62))
