"""What operators did, append-only; and the erasure of a user's personal data."""

from alembic import op

from migrations import sql_file

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add `jobs.acts` and `credits.erase`, and let the append-only triggers tell an erasure from a change."""
    sql_file.run(__file__)


def downgrade() -> None:
    """Take both away, and make the triggers of the ledger and of jobs refuse everything again.

    Those of gifts and holds still know an erasure, which nobody can begin any more.
    """
    op.execute("""
        DROP FUNCTION credits.erase;
        DROP TRIGGER transactions_append_only ON credits.transactions;
        CREATE TRIGGER transactions_append_only BEFORE UPDATE OR DELETE ON credits.transactions
            FOR EACH ROW EXECUTE FUNCTION credits.refuse_change();
        DROP TRIGGER jobs_ended ON jobs.jobs;
        CREATE TRIGGER jobs_ended BEFORE UPDATE ON jobs.jobs
            FOR EACH ROW WHEN (OLD.state IN ('done', 'discarded')) EXECUTE FUNCTION jobs.refuse_reopening();
        DROP FUNCTION credits.refuse_change_but_erasure;
        DROP FUNCTION jobs.refuse_reopening_but_erasure;
        DROP FUNCTION jobs.without_personal_data;
        DROP TABLE jobs.acts;
    """)
