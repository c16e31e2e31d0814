"""How a command reaches the database: as the service does, with patience."""

from collections.abc import Iterator
from contextlib import contextmanager

import settings
from domain.store import Database


@contextmanager
def database(*, statement_timeout_s: float = 600) -> Iterator[Database]:
    """Open the database for one command."""
    opened = Database(settings.database_url(), pool_size=1, lock_timeout_s=5, statement_timeout_s=statement_timeout_s)
    try:
        yield opened
    finally:
        opened.close()
