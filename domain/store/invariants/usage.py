"""What must be true of usage statistics."""

from typing import Final

from domain.store.invariants.invariant import Invariant

INVARIANTS: Final = (
    Invariant(
        name="usage_is_counted_exactly",
        says="Usage statistics are the ledger's usage up to each user's watermark, and no watermark is ahead of it.",
        sql="""
            SELECT coalesce(s.user_id, t.user_id) FROM credits.usage_stats s
            FULL JOIN (
                SELECT user_id, app_id, (created_at AT TIME ZONE 'UTC')::date AS day,
                       sum(-amount) AS credits, count(*) AS uses
                FROM credits.transactions JOIN credits.usage_watermarks w USING (user_id)
                WHERE type = 'usage' AND transactions.seq <= w.seq GROUP BY user_id, app_id, day
            ) t USING (user_id, app_id, day)
            WHERE s.credits IS DISTINCT FROM t.credits OR s.uses IS DISTINCT FROM t.uses
            UNION ALL
            SELECT w.user_id FROM credits.usage_watermarks w JOIN credits.balances b USING (user_id)
            WHERE w.seq > b.version""",
    ),
)
