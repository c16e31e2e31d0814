"""What must be true of holds."""

from typing import Final

from domain.store.invariants.invariant import Invariant

INVARIANTS: Final = (
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
)
