"""What must be true of balances and the ledger."""

from typing import Final

from domain.store.invariants.invariant import Invariant

INVARIANTS: Final = (
    Invariant(
        name="balance_is_sum",
        says="A balance is the sum of its transactions.",
        sql="""
            SELECT b.user_id FROM credits.balances b
            LEFT JOIN (SELECT user_id, sum(amount) AS total, count(*) AS entries
                       FROM credits.transactions GROUP BY user_id) t USING (user_id)
            WHERE b.balance <> coalesce(t.total, 0) OR b.version <> coalesce(t.entries, 0)""",
    ),
    Invariant(
        name="chain_is_closed",
        says="A user's transactions are numbered from 1 without gaps, and each begins where the one before ended.",
        sql="""
            SELECT id::text FROM (
                SELECT id, seq, balance_before,
                       row_number() OVER by_seq AS position,
                       lag(balance_after, 1, 0::bigint) OVER by_seq AS expected
                FROM credits.transactions WINDOW by_seq AS (PARTITION BY user_id ORDER BY seq)) chain
            WHERE seq <> position OR balance_before <> expected""",
    ),
    Invariant(
        name="nobody_below_zero",
        says="Nobody is below zero whom no clawback put there.",
        sql="""
            SELECT user_id FROM credits.balances b WHERE balance < 0 AND NOT EXISTS (
                SELECT FROM credits.transactions t WHERE t.user_id = b.user_id AND t.type = 'clawback')""",
    ),
    Invariant(
        name="totals_match",
        says="Earned and spent are the sums of what came and what went, holds and releases left out.",
        sql="""
            SELECT b.user_id FROM credits.balances b
            LEFT JOIN (SELECT user_id, sum(greatest(amount, 0)) AS earned, sum(greatest(-amount, 0)) AS spent
                       FROM credits.transactions WHERE type NOT IN ('hold', 'release') GROUP BY user_id) t
              USING (user_id)
            WHERE b.total_earned <> coalesce(t.earned, 0) OR b.total_spent <> coalesce(t.spent, 0)""",
    ),
)
