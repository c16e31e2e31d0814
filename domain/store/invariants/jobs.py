"""What must be true of jobs."""

from typing import Final

from domain.store.invariants.invariant import Invariant

INVARIANTS: Final = (
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
        name="no_job_waits_long",
        says="No job that is due waits longer than 15 minutes.",
        sql="""
            SELECT id::text FROM jobs.jobs
            WHERE state = 'pending' AND next_at < clock_timestamp() - interval '15 minutes'""",
    ),
)
