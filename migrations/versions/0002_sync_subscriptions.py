"""Cloud Sync subscriptions, and who was given one."""

from alembic import op

from migrations import sql_file

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the subscriptions, the audit of gifts, and the function that locks balances."""
    sql_file.run(__file__)


def downgrade() -> None:
    """Drop what this migration made; charges stay in the ledger."""
    op.execute(
        "DROP INDEX jobs.jobs_charging_runs; DROP FUNCTION credits.lock_balances; "
        "DROP TABLE credits.sync_gift_audit; DROP TABLE credits.sync_subscriptions"
    )
