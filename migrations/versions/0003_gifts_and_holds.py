"""Gifts, holds and usage statistics."""

from alembic import op

from migrations import sql_file

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the tables, the triggers that let states only move forward, and the service's rights."""
    sql_file.run(__file__)


def downgrade() -> None:
    """Drop what this migration made. Ledger rows about gifts and holds stay: the ledger forgets nothing."""
    op.execute(
        "DROP TABLE credits.usage_stats, credits.usage_watermarks, credits.reservations, "
        "gifts.gift_redemptions, gifts.gift_codes; "
        "DROP FUNCTION gifts.gift_moves_forward(), credits.hold_moves_forward(), "
        "credits.usage_watermark_moves_forward()"
    )
