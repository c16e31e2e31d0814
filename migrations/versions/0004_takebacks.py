"""Refunds and disputes, how far Stripe's events were listed, and the purchases nobody paid."""

from alembic import op

from migrations import sql_file

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the tables, and let purchases tell how much of them went back."""
    sql_file.run(__file__)


def downgrade() -> None:
    """Drop what `upgrade` made; the ledger keeps what was taken back."""
    op.execute("""
        DROP INDEX credits.purchases_unpaid;
        DROP TABLE credits.stripe_takebacks, credits.stripe_cursors;
        DROP FUNCTION credits.takeback_moves_forward;
        ALTER TABLE credits.purchases DROP CONSTRAINT purchases_refunded_bounds,
            DROP COLUMN refunded_euro_cents, DROP COLUMN taken_back_credits, DROP COLUMN takeback_movements;
        CREATE OR REPLACE FUNCTION credits.purchase_moves_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.status, NEW.status) NOT IN (
        ('pending', 'completed'), ('pending', 'failed'), ('pending', 'cancelled'), ('failed', 'completed'),
        ('failed', 'cancelled'), ('cancelled', 'completed'), ('completed', 'refunded')
    ) THEN
        RAISE EXCEPTION 'purchase % cannot go from % to %', OLD.id, OLD.status, NEW.status
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
    """)
