"""Reading the books of a period `[begin, end)`."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text

from domain.rules.bookkeeping import Period, Standing
from domain.store.database import Reader

PAGE: Final = 5_000

# Each movement of a refund or dispute holds how much of its purchase was refunded by then. Where an erasure removed
# that, the amount refunded by now is used.
_STANDING: Final = text("""
WITH refunded AS (
    SELECT DISTINCT ON (t.counterparty)
           coalesce((t.metadata ->> 'refundedEuroCents')::bigint, p.refunded_euro_cents) AS cents
    FROM credits.transactions t JOIN credits.purchases p ON p.id::text = split_part(t.counterparty, ':', 2)
    WHERE t.type IN ('clawback', 'restore') AND t.created_at < :at ORDER BY t.counterparty, t.seq DESC)
SELECT coalesce(sum(amount), 0)::bigint AS balances,
       coalesce(-sum(amount) FILTER (WHERE counterparty LIKE 'gift:%'), 0)::bigint AS gifts,
       coalesce(-sum(amount) FILTER (WHERE counterparty LIKE 'hold:%' AND type IN ('hold', 'release')), 0)::bigint
           AS holds,
       coalesce(sum(amount) FILTER (WHERE type IN ('purchase', 'grant', 'clawback', 'restore')), 0)::bigint AS issued,
       (SELECT coalesce(sum(price_euro_cents), 0)::bigint FROM credits.purchases
        WHERE status IN ('completed', 'refunded') AND completed_at < :at) AS paid,
       (SELECT coalesce(sum(cents), 0)::bigint FROM refunded) AS refunded
FROM credits.transactions WHERE created_at < :at
""")
_MOVED: Final = text("""
SELECT type, coalesce(sum(amount) FILTER (WHERE amount > 0), 0)::bigint AS came,
       coalesce(-sum(amount) FILTER (WHERE amount < 0), 0)::bigint AS went
FROM credits.transactions WHERE created_at >= :begin AND created_at < :end GROUP BY type ORDER BY type
""")
_LEDGER: Final = text("""
SELECT created_at, user_id, seq, type, amount, balance_before, balance_after, app_id, counterparty, description, id
FROM credits.transactions
WHERE created_at >= :begin AND created_at < :end AND (user_id, seq) > (:user_id, :seq)
ORDER BY user_id, seq LIMIT :page
""")
_PURCHASES: Final = text("""
SELECT created_at, completed_at, user_id, status, package_name, credits, price_euro_cents, refunded_euro_cents,
       taken_back_credits, stripe_customer_id,
       stripe_payment_intent_id, stripe_checkout_session_id, id
FROM credits.purchases
WHERE (created_at >= :begin AND created_at < :end) OR (completed_at >= :begin AND completed_at < :end)
ORDER BY coalesce(completed_at, created_at), id
""")


def read_period(reader: Reader, *, begin: datetime, end: datetime) -> Period:
    """Read the standings at both ends, and the credits that moved in between."""
    moved = list(reader.run(_MOVED, {"begin": begin, "end": end}))
    return Period(
        opening=_standing(reader, begin),
        closing=_standing(reader, end),
        came={row.type: row.came for row in moved if row.came},
        went={row.type: row.went for row in moved if row.went},
    )


def ledger_rows(reader: Reader, *, begin: datetime, end: datetime) -> Iterator[dict[str, Any]]:
    """Read the transactions of the period, by user and in their order, a page at a time."""
    user_id, seq = "", 0
    while True:
        values = {"begin": begin, "end": end, "user_id": user_id, "seq": seq, "page": PAGE}
        page = list(reader.run(_LEDGER, values))
        yield from (dict(row._mapping) for row in page)  # noqa: SLF001 - SQLAlchemy's public name
        if len(page) < PAGE:
            return
        user_id, seq = page[-1].user_id, page[-1].seq


def purchase_rows(reader: Reader, *, begin: datetime, end: datetime) -> Iterator[dict[str, Any]]:
    """Read the purchases that were started or completed in the period."""
    for row in reader.run(_PURCHASES, {"begin": begin, "end": end}):
        yield dict(row._mapping)  # noqa: SLF001


def _standing(reader: Reader, at: datetime) -> Standing:
    return Standing(**reader.run(_STANDING, {"at": at}).one()._mapping)  # noqa: SLF001
