"""The moments at which tests act."""

from datetime import UTC, datetime
from typing import Final

NOW: Final = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
"""The moment at which most tests act. The domain takes the time as an argument, so a test can say which one it is."""


def now() -> datetime:
    """Read the clock, for what is compared with the clock of PostgreSQL."""
    return datetime.now(UTC)
