"""Alembic's entry: one migration at a time, as the login of `MIGRATION_DATABASE_URL`, or else of `DATABASE_URL`."""

import importlib
import pkgutil
import sys

import psycopg
from alembic import context
from sqlalchemy import NullPool, create_engine, text

import settings
from domain import store
from domain.store.schema import metadata
from domain.store.session_role import UnfitDatabase
from domain.store.sessions import Session, SessionSettings, open_session

ADVISORY_LOCK = 5_264_391
"""Names our migrations among the server's advisory locks; any number that nobody else uses will do."""

LOCK_TIMEOUT = "3s"
"""How long a migration may wait for a table lock: while it waits, every request on that table queues behind it."""


for module in pkgutil.iter_modules(store.__path__):
    importlib.import_module(f"{store.__name__}.{module.name}")  # each adds its tables to the metadata


def migrate() -> None:
    """Run the migrations in one transaction; a second process started meanwhile waits, then finds nothing to do."""
    engine = create_engine("postgresql+psycopg://", creator=connect, poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": ADVISORY_LOCK})
        connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
        connection.commit()
        context.configure(
            connection=connection, target_metadata=metadata, include_schemas=True, include_name=ours, compare_type=True
        )
        with context.begin_transaction():
            context.run_migrations()


def connect() -> Session:
    """Open a session as the owner of the tables, or end with a sentence. Only its lock on tables has a time limit."""
    # The table of our revision, the only one without a schema of its own, is in `public`.
    session_settings = SessionSettings(url=settings.migration_database_url(), search_path="public", autocommit=False)
    try:
        return open_session(session_settings)
    except (UnfitDatabase, psycopg.OperationalError) as error:
        sys.exit(f"the migrations cannot start: {error}")


def ours(name: str | None, kind: str, _parents: object) -> bool:
    """Tell whether `alembic check` should look at the schema of this name."""
    return kind != "schema" or name in {"credits", "gifts", "jobs"}


migrate()
