"""How a command reaches the database: as the login of `DATABASE_URL`, with patience; and the workers' bell."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager

import settings
from domain.rules.jobs import Job
from domain.store import Database
from telemetry import configure_logging
from workers.broker import Bell


@contextmanager
def database(*, statement_timeout_s: float = 600, as_app: bool = True) -> Iterator[Database]:
    """Open the database for one command.

    Args:
        as_app: With the rights of the service; `False` for what only the owner may do.
    """
    opened = Database(
        settings.database_url(),
        pool_size=1,
        lock_timeout_s=5,
        statement_timeout_s=statement_timeout_s,
        as_app=as_app,
    )
    try:
        yield opened
    finally:
        opened.close()


def ring(*jobs: Job) -> None:
    """Ring for jobs where `REDIS_URL` is set; else the sweeper finds them within seconds."""
    configure_logging()  # a warning belongs on standard error, not between what the command prints
    url = settings.redis_url()
    if url is not None:
        Bell(url, timeout_s=1).ring(*jobs)


def operator() -> str:
    """Name who runs this command, for what is written down about it."""
    return f"cli:{getpass.getuser()}"
