"""What must be true of Cloud Sync and its charges."""

from typing import Final

from domain.store.invariants.invariant import Invariant

INVARIANTS: Final = (
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
)
