"""The state of the service at a glance: the queues, what is due, and the sales and renewals of today."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text

from domain.ids import first_id_of
from domain.store.database import Reader

HOURS: Final = 24

_QUEUES: Final = text("""
SELECT queue, count(*) AS pending,
       greatest(coalesce(extract(epoch FROM clock_timestamp() - min(created_at) FILTER (
           WHERE next_at <= clock_timestamp())), 0), 0) AS oldest_s
FROM jobs.jobs WHERE state = 'pending' GROUP BY queue ORDER BY queue
""")
_DUE: Final = text("""
SELECT count(*) FROM credits.sync_subscriptions WHERE active AND next_charge_at <= :now
""")
# Ids begin with the time of their creation, so the primary key finds today's rows.
_TODAY: Final = text("""
SELECT extract(hour FROM t.created_at)::int AS hour, coalesce(sum(p.price_euro_cents), 0)::bigint AS sales,
       count(*) FILTER (WHERE t.type = 'usage' AND t.counterparty = 'sync') AS renewals
FROM credits.transactions t
LEFT JOIN credits.purchases p ON t.type = 'purchase' AND p.id::text = split_part(t.counterparty, ':', 2)
WHERE t.id >= :first_id AND t.created_at >= :day AND t.created_at < :next_day
  AND (t.type = 'purchase' OR t.counterparty = 'sync')
GROUP BY hour
""")


@dataclass(frozen=True, kw_only=True)
class QueueState:
    """A queue: how many jobs wait in it, and for how many seconds the oldest due one."""

    queue: str
    pending: int
    oldest_s: float


@dataclass(frozen=True, kw_only=True)
class Overview:
    """Numbers of this moment and of today.

    Attributes:
        due_renewals: Subscriptions due and not charged.
        sales: Euro cents of purchases completed today, by hour of the day in UTC.
        renewals: Charged renewals of today, by hour.
    """

    queues: Sequence[QueueState]
    due_renewals: int
    sales: Sequence[int]
    renewals: Sequence[int]


def read_overview(reader: Reader, *, now: datetime) -> Overview:
    """Read the numbers."""
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    values = {"first_id": first_id_of(day - timedelta(hours=2)), "day": day, "next_day": day + timedelta(days=1)}
    by_hour: Mapping[int, tuple[int, int]] = {row.hour: (row.sales, row.renewals) for row in reader.run(_TODAY, values)}
    return Overview(
        queues=[
            QueueState(queue=row.queue, pending=row.pending, oldest_s=float(row.oldest_s))
            for row in reader.run(_QUEUES)
        ],
        due_renewals=reader.run(_DUE, {"now": now}).scalar_one(),
        sales=[by_hour.get(hour, (0, 0))[0] for hour in range(HOURS)],
        renewals=[by_hour.get(hour, (0, 0))[1] for hour in range(HOURS)],
    )
