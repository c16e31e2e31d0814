"""One spelling of job kinds: the index of pending runs knows `charge-recurring` beside its earlier spelling."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Let the index find jobs of both spellings."""
    op.execute("""
        DROP INDEX jobs.jobs_charging_runs;
        CREATE INDEX jobs_charging_runs ON jobs.jobs (created_at)
            WHERE kind IN ('charge-recurring', 'charge_recurring') AND state = 'pending';
    """)


def downgrade() -> None:
    """Let it find the earlier spelling only."""
    op.execute("""
        DROP INDEX jobs.jobs_charging_runs;
        CREATE INDEX jobs_charging_runs ON jobs.jobs (created_at)
            WHERE kind = 'charge_recurring' AND state = 'pending';
    """)
