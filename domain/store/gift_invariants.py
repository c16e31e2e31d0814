"""What must be true of gifts, holds and usage statistics at any moment; see `domain.store.invariants`."""

from typing import Final

from domain.store.invariant import Invariant

GIFT_INVARIANTS: Final = (
    Invariant(
        name="gift_is_conserved",
        says="Credits that left for a gift are redeemed, back with their creator, or wait: each once, in its size.",
        sql="""
            SELECT g.id::text FROM gifts.gift_codes g
            LEFT JOIN gifts.gift_redemptions r ON r.gift_code_id = g.id
            LEFT JOIN credits.transactions t ON t.counterparty = 'gift:' || g.id
            GROUP BY g.id, r.id
            HAVING count(*) FILTER (WHERE t.user_id = g.creator_id AND t.amount = -g.total_credits) <> 1
                OR count(*) FILTER (WHERE t.user_id = g.creator_id AND t.amount = g.total_credits)
                   <> (g.status IN ('expired', 'cancelled', 'refunded'))::int
                OR count(*) FILTER (WHERE t.user_id = r.user_id AND t.amount = g.total_credits
                                      AND t.id = r.transaction_id AND r.user_id <> g.creator_id)
                   <> (g.status = 'depleted')::int
                OR (r.id IS NOT NULL) <> (g.status = 'depleted')
                OR count(t.id) <> CASE g.status WHEN 'active' THEN 1 ELSE 2 END""",
    ),
    Invariant(
        name="gift_transaction_has_gift",
        says="Every gift transaction is about a gift there is.",
        sql="""
            SELECT t.id::text FROM credits.transactions t
            LEFT JOIN gifts.gift_codes g ON t.counterparty = 'gift:' || g.id
            WHERE (t.type = 'gift' OR t.counterparty LIKE 'gift:%') AND (g.id IS NULL OR t.type <> 'gift')""",
    ),
    Invariant(
        name="no_gift_past_its_end",
        says="No gift waits for more than 10 minutes after its end.",
        sql="""
            SELECT id::text FROM gifts.gift_codes
            WHERE status = 'active' AND expires_at < clock_timestamp() - interval '10 minutes'""",
    ),
    Invariant(
        name="done_redeem_has_redemption",
        says="A done redeem job has a redemption by its user.",
        sql="""
            SELECT j.id::text FROM jobs.jobs j WHERE j.kind = 'redeem' AND j.state = 'done' AND NOT EXISTS (
                SELECT FROM gifts.gift_redemptions r
                WHERE r.gift_code_id = (j.payload ->> 'giftId')::uuid AND r.user_id = j.user_id)""",
    ),
    Invariant(
        name="hold_is_conserved",
        says="What is held is open, or went back once; and what was paid of it was spent once.",
        sql="""
            SELECT h.id::text FROM credits.reservations h
            LEFT JOIN credits.transactions t ON t.counterparty = 'hold:' || h.id AND t.user_id = h.user_id
            GROUP BY h.id
            HAVING count(*) FILTER (WHERE t.type = 'hold' AND t.amount = -h.amount) <> 1
                OR count(*) FILTER (WHERE t.type = 'release' AND t.amount = h.amount) <> (h.status <> 'open')::int
                OR count(*) FILTER (WHERE t.type = 'usage' AND t.amount = -h.committed_amount)
                   <> (h.status = 'committed')::int
                OR count(t.id) <> CASE h.status WHEN 'open' THEN 1 WHEN 'committed' THEN 3 ELSE 2 END""",
    ),
    Invariant(
        name="hold_transaction_has_hold",
        says="Every transaction of a hold is about a hold of the same user.",
        sql="""
            SELECT t.id::text FROM credits.transactions t
            LEFT JOIN credits.reservations h ON t.counterparty = 'hold:' || h.id AND t.user_id = h.user_id
            WHERE (t.type IN ('hold', 'release') OR t.counterparty LIKE 'hold:%') AND h.id IS NULL""",
    ),
    Invariant(
        name="no_hold_past_its_end",
        says="No hold is open for more than 10 minutes after its end.",
        sql="""
            SELECT id::text FROM credits.reservations
            WHERE status = 'open' AND expires_at < clock_timestamp() - interval '10 minutes'""",
    ),
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
