"""What must be true of purchases and the money behind them."""

from typing import Final

from domain.store.invariants.invariant import Invariant

INVARIANTS: Final = (
    Invariant(
        name="credited_purchase_names_its_payment",
        says="A purchase that was credited names the PaymentIntent that paid for it, and its credit names the same.",
        sql="""
            SELECT p.id::text FROM credits.purchases p
            LEFT JOIN credits.transactions t ON t.user_id = p.user_id AND t.movement_key = 'purchase:' || p.id
            WHERE p.status IN ('completed', 'refunded') AND (p.stripe_payment_intent_id IS NULL
               OR t.metadata ->> 'paymentIntentId' <> p.stripe_payment_intent_id)""",
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
)
