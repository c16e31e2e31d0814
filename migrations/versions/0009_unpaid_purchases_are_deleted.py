"""Old cancelled purchases can be deleted, and no others."""

from alembic import op

from migrations import sql_file

revision = "0009"
down_revision = "0006"


def upgrade() -> None:
    """Let the service delete purchases; a trigger refuses all but those that were cancelled long ago."""
    sql_file.run(__file__)


def downgrade() -> None:
    """Let it delete none."""
    op.execute("""
        REVOKE DELETE ON credits.purchases FROM mana_credits_app;
        DROP TRIGGER purchases_stay ON credits.purchases;
        DROP FUNCTION credits.refuse_deleting_purchase;
        DROP INDEX credits.purchases_cancelled;
    """)
