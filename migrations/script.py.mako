"""${message}."""

from alembic import op

from migrations import sql_file

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """Run the SQL file beside this one."""
    sql_file.run(__file__)


def downgrade() -> None:
    """Take it back."""
    op.execute("")
