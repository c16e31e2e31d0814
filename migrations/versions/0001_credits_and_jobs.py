"""Balances, the ledger, packages, purchases and jobs."""

from alembic import op

from migrations import sql_file

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the schemas, their tables, and the role the service runs as."""
    sql_file.run(__file__)


def downgrade() -> None:
    """Drop everything. The role stays: it belongs to the server, and other databases may use it."""
    op.execute("DROP SCHEMA jobs CASCADE; DROP SCHEMA gifts CASCADE; DROP SCHEMA credits CASCADE")
