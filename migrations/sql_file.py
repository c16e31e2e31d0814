"""Run a migration that is written as plain SQL beside its Python file."""

from pathlib import Path

from alembic import op


def run(migration_file: str) -> None:
    """Execute the `.sql` file of the same name, statement after statement, in the migration's transaction.

    Goes to the driver as it stands: SQLAlchemy would read `:name` and `%` as parameters.
    """
    sql = Path(migration_file).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_bind().connection.cursor().execute(sql)
