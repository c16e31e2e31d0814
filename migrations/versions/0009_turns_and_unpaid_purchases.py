"""An index of the jobs that take turns; old cancelled purchases can be deleted, and no others."""

from alembic import op

from migrations import sql_file

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the index, and let the service delete purchases that were cancelled long ago; a trigger refuses others."""
    sql_file.run(__file__)


def downgrade() -> None:
    """Take the index away, and let the service delete no purchase."""
    op.execute("""
        REVOKE DELETE ON credits.purchases FROM mana_credits_app;
        DROP TRIGGER purchases_stay ON credits.purchases;
        DROP FUNCTION credits.refuse_deleting_purchase;
        DROP INDEX credits.purchases_cancelled;
        DROP INDEX jobs.jobs_turns;
    """)
