"""The sessions of the operators' console: a row for each, so that a session can be ended."""

from alembic import op

from migrations import sql_file

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add `jobs.console_sessions`."""
    sql_file.run(__file__)


def downgrade() -> None:
    """Take the table away: every operator signs in again."""
    op.execute("DROP TABLE jobs.console_sessions")
