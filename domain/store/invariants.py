"""What must be true of the books at any moment. Each invariant is one query; every row it returns breaks it."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import text

from domain.store.database import Store
from domain.store.gift_invariants import GIFT_INVARIANTS
from domain.store.invariant import Invariant


@dataclass(frozen=True, kw_only=True)
class Finding:
    """An invariant that does not hold: how many offenders, and a few of them."""

    invariant: str
    says: str
    count: int
    examples: tuple[str, ...]


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
    Invariant(
        name="purchase_is_credited_once",
        says="A completed purchase has exactly one credit of its size; no other purchase has any.",
        sql="""
            SELECT coalesce(p.id::text, t.counterparty) FROM credits.purchases p
            FULL JOIN (SELECT user_id, counterparty, sum(amount) AS credited, count(*) AS times
                       FROM credits.transactions WHERE type = 'purchase' GROUP BY user_id, counterparty) t
              ON t.counterparty = 'stripe:' || p.id AND t.user_id = p.user_id
            WHERE CASE WHEN p.status IN ('completed', 'refunded')
                       THEN t.times IS DISTINCT FROM 1 OR t.credited <> p.credits
                       ELSE t.times IS NOT NULL END""",
    ),
    Invariant(
        name="money_is_sold_credits",
        says="What is left of a purchase's credits is what Stripe's money that stayed has bought, rounded up.",
        sql="""
            SELECT p.id::text FROM credits.purchases p
            LEFT JOIN (SELECT counterparty, user_id, sum(amount) AS sold FROM credits.transactions
                       WHERE type IN ('purchase', 'clawback', 'restore') GROUP BY counterparty, user_id) t
              ON t.counterparty = 'stripe:' || p.id AND t.user_id = p.user_id
            LEFT JOIN LATERAL (SELECT least(p.price_euro_cents, coalesce(sum(k.amount_euro_cents), 0)) AS gone
                       FROM credits.stripe_takebacks k WHERE k.purchase_id = p.id AND k.state = 'taken'
                         AND k.payment_intent_id = coalesce(p.stripe_payment_intent_id, k.payment_intent_id)) m ON true
            WHERE CASE WHEN p.status IN ('completed', 'refunded')
                       THEN t.sold IS DISTINCT FROM p.credits - div(p.credits * m.gone, p.price_euro_cents)
                         OR p.refunded_euro_cents <> m.gone
                         OR (p.status = 'refunded') <> (m.gone = p.price_euro_cents)
                       ELSE t.sold IS NOT NULL OR p.refunded_euro_cents <> 0 END""",
    ),
    Invariant(
        name="done_job_has_effect",
        says="A done purchase job has made something at Stripe; a done event has credited what it says.",
        sql="""
            SELECT j.id::text FROM jobs.jobs j
            LEFT JOIN credits.purchases p ON p.id = (j.payload ->> 'purchaseId')::uuid
            WHERE j.kind = 'purchase' AND j.state = 'done'
              AND coalesce(p.stripe_payment_intent_id, p.stripe_checkout_session_id) IS NULL
            UNION ALL
            SELECT j.id::text FROM jobs.jobs j
            WHERE j.kind = 'stripe' AND j.state = 'done' AND j.result ? 'transactionId' AND NOT EXISTS (
                SELECT FROM credits.transactions t WHERE t.id = (j.result ->> 'transactionId')::uuid)""",
    ),
    Invariant(
        name="sync_period_charged_once",
        says="A period of sync is charged at most once, and none before it is due.",
        sql="""
            SELECT min(movement_key) FROM credits.transactions
            WHERE counterparty = 'sync' AND metadata ? 'period'
            GROUP BY user_id, metadata ->> 'activation', metadata ->> 'period' HAVING count(*) > 1
            UNION ALL
            SELECT movement_key FROM credits.transactions
            WHERE counterparty = 'sync' AND created_at < (metadata ->> 'dueAt')::timestamptz""",
    ),
    Invariant(
        name="sync_charge_moves_subscription_on",
        says="A subscription goes on with its charge; what was renewed or activated was paid.",
        sql="""
            SELECT t.movement_key FROM credits.transactions t
            JOIN credits.sync_subscriptions s ON s.user_id = t.user_id
            WHERE t.counterparty = 'sync' AND (s.activation < (t.metadata ->> 'activation')::bigint
               OR s.activation = (t.metadata ->> 'activation')::bigint
                  AND s.period <= (t.metadata ->> 'period')::bigint)
            UNION ALL
            SELECT j.id::text FROM jobs.jobs j
            LEFT JOIN credits.transactions t
              ON t.id = (j.result ->> 'transactionId')::uuid AND t.user_id = j.user_id AND t.counterparty = 'sync'
            WHERE j.state = 'done' AND t.id IS NULL AND (j.kind = 'activate'
               OR j.kind = 'renew' AND j.result ->> 'outcome' = 'charged'
               OR j.kind = 'resume' AND (j.result ->> 'resumed')::boolean)""",
    ),
    Invariant(
        name="active_sync_has_date",
        says="Sync that is active and not a gift has a date to be charged at, and a price.",
        sql="""
            SELECT user_id FROM credits.sync_subscriptions
            WHERE active AND NOT is_gifted AND (next_charge_at IS NULL OR amount_charged <= 0)""",
    ),
    Invariant(
        name="no_job_waits_long",
        says="No job that is due waits longer than 15 minutes.",
        sql="""
            SELECT id::text FROM jobs.jobs
            WHERE state = 'pending' AND next_at < clock_timestamp() - interval '15 minutes'""",
    ),
    *GIFT_INVARIANTS,
)

_EXAMPLES: Final = 5


def check(store: Store, invariant: Invariant) -> Finding | None:
    """Run one invariant; nothing if it holds."""
    counted = text(
        f"WITH offender (name) AS ({invariant.sql}) "
        f"SELECT (SELECT count(*) FROM offender), ARRAY(SELECT name FROM offender LIMIT {_EXAMPLES})"
    )
    count, examples = store.run(counted).one()
    if not count:
        return None
    return Finding(invariant=invariant.name, says=invariant.says, count=count, examples=tuple(examples))


def count_rows(store: Store) -> int:
    """Count the rows of the ledger."""
    rows: int = store.run(text("SELECT count(*) FROM credits.transactions")).scalar_one()
    return rows
