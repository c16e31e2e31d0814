"""What the service's role cannot do: reach the owner's rights, book nonsense, write for somebody who was erased."""

from alembic import op

from migrations import sql_file

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Repair the owner's grant, let `credits.append` check what it books, and let an erasure blank more and stay."""
    sql_file.run(__file__)


def downgrade() -> None:
    """Go back to the functions of before. What was erased stays erased, and its user may be written about again."""
    op.execute("DROP FUNCTION credits.append")
    for file, name in (
        ("0001_credits_and_jobs", "credits.append"),
        ("0005_operator_acts", "credits.refuse_change_but_erasure"),
        ("0005_operator_acts", "jobs.refuse_reopening_but_erasure"),
        ("0005_operator_acts", "gifts.gift_moves_forward"),
        ("0005_operator_acts", "jobs.without_personal_data"),
        ("0005_operator_acts", "credits.erase"),
    ):
        sql_file.run_function(__file__, file, name)
    op.execute("""
        REVOKE ALL ON FUNCTION credits.append FROM PUBLIC;
        GRANT EXECUTE ON FUNCTION credits.append TO mana_credits_app;
        DROP TRIGGER gift_redemptions_append_only ON gifts.gift_redemptions;
        CREATE TRIGGER gift_redemptions_append_only BEFORE UPDATE OR DELETE ON gifts.gift_redemptions
            FOR EACH ROW EXECUTE FUNCTION credits.refuse_change();
        DROP FUNCTION gifts.refuse_change_but_erasure;
        DROP FUNCTION credits.clock_tolerance;
        DROP FUNCTION credits.movement_fits;
        ALTER TABLE credits.balances DROP COLUMN erased_at;
    """)
