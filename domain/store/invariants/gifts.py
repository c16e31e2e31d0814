"""What must be true of gifts."""

from typing import Final

from domain.store.invariants.invariant import Invariant

INVARIANTS: Final = (
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
)
