"""Alembic's entry: one migration at a time, as the login of `MIGRATION_DATABASE_URL`, or else of `DATABASE_URL`."""

import importlib
import pkgutil

from alembic import context
from sqlalchemy import NullPool, create_engine, text

import settings
from domain import store
from domain.store.schema import metadata

ADVISORY_LOCK = 5_264_391
"""Names our migrations among the server's advisory locks; any number that nobody else uses will do."""

LOCK_TIMEOUT = "3s"
"""How long a migration may wait for a table lock: while it waits, every request on that table queues behind it."""


for module in pkgutil.iter_modules(store.__path__):
    importlib.import_module(f"{store.__name__}.{module.name}")  # each adds its tables to the metadata


def migrate() -> None:
    """Run the migrations in one transaction; a second process started meanwhile waits, then finds nothing to do."""
    engine = create_engine(settings.migration_database_url(), poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": ADVISORY_LOCK})
        connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
        connection.commit()
        context.configure(
            connection=connection, target_metadata=metadata, include_schemas=True, include_name=ours, compare_type=True
        )
        with context.begin_transaction():
            context.run_migrations()


def ours(name: str | None, kind: str, _parents: object) -> bool:
    """Tell whether `alembic check` should look at the schema of this name."""
    return kind != "schema" or name in {"credits", "gifts", "jobs"}


migrate()
