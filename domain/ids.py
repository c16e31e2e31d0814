"""Ids are made here, in Python, so that a row's id is known before it is written."""

import time
from datetime import datetime
from random import getrandbits as _random
from uuid import UUID

_VERSION = 0x7 << 76
_VARIANT = 0b10 << 62


def first_id_of(moment: datetime) -> UUID:
    """Give the smallest id that `new_id` could make at a moment: where a walk through rows by id may begin."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def new_id() -> UUID:
    """Make a UUID version 7 (RFC 9562, section 5.7): milliseconds since 1970, then 74 random bits.

    The leading time keeps the indexes append-mostly; it orders rows roughly and is never read as a fact. An id is a
    name, not a secret: nothing is open to whoever knows one.
    """
    milliseconds = time.time_ns() // 1_000_000
    return UUID(int=milliseconds << 80 | _VERSION | _random(12) << 64 | _VARIANT | _random(62))
