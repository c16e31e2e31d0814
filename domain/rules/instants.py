"""Moments and days that come from outside: read, and kept within bounds that our arithmetic survives.

Python's `datetime` ends with the year 9999 and begins with the year 1. Near its ends a change of the time zone, or a
step of a day, overflows. Everything here is at least a thousand years away from them.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""The earliest moment that is read from outside."""

END: Final = datetime(9000, 1, 1, tzinfo=UTC)
"""Every moment that is read from outside is before this one."""

_SECONDS_END: Final = int((END - FIRST).total_seconds())


def check_instant(moment: datetime) -> datetime:
    """Check a moment and return it in UTC.

    Raises:
        ValueError: it has no time zone, or is out of bounds.
    """
    if moment.tzinfo is None:
        raise ValueError("must be a time with zone")
    if not FIRST <= moment < END:
        raise ValueError(f"must be from {FIRST.year} to before {END.year}")
    return moment.astimezone(UTC)


def read_instant(text: str) -> datetime:
    """Read a moment as ISO 8601 writes it.

    Raises:
        ValueError: the text is no moment, or as `check_instant`.
    """
    return check_instant(datetime.fromisoformat(text))


def instant_of(seconds: Any) -> datetime:
    """Read a moment given in seconds since 1970, such as `exp` of a token or `created` at Stripe.

    Raises:
        ValueError: it is no number, or out of bounds.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < _SECONDS_END:
        raise ValueError(f"must be seconds since 1970, before {END.year}")
    return FIRST + timedelta(seconds=seconds)


def check_day(day: date) -> date:
    """Check a day and return it.

    Raises:
        ValueError: it is out of bounds.
    """
    if not FIRST.date() <= day < END.date():
        raise ValueError(f"must be from {FIRST.year} to before {END.year}")
    return day
