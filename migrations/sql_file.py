"""Run a migration that is written as plain SQL beside its Python file."""

import re
from pathlib import Path

from alembic import op


def run(migration_file: str) -> None:
    """Execute the `.sql` file of the same name, statement after statement, in the migration's transaction.

    Goes to the driver as it stands: SQLAlchemy would read `:name` and `%` as parameters.
    """
    _execute(Path(migration_file).with_suffix(".sql").read_text(encoding="utf-8"))


def run_function(migration_file: str, earlier: str, name: str) -> None:
    """Create a function again as an earlier migration made it.

    Args:
        earlier: The name of that migration's `.sql` file, without its suffix.
        name: The function's name with its schema.
    """
    sql = Path(migration_file).with_name(f"{earlier}.sql").read_text(encoding="utf-8")
    definition = re.search(
        rf"^CREATE (?:OR REPLACE )?(FUNCTION {re.escape(name)}\(.*?\$\$.*?\$\$;?)$", sql, re.MULTILINE | re.DOTALL
    )
    if definition is None:
        raise LookupError(f"{earlier}.sql makes no function {name}")
    _execute(f"CREATE OR REPLACE {definition[1]}")


def _execute(sql: str) -> None:
    op.get_bind().connection.cursor().execute(sql)
