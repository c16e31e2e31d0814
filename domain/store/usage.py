"""Usage statistics, and how far each user's ledger has been counted into them.

A user's transactions are numbered without gaps, and number n + 1 is written after number n is committed. So what a
statement sees of a user's ledger is complete up to its highest number, and that number is all there is to remember.
"""

from collections.abc import Sequence
from datetime import date
from typing import Final

from sqlalchemy import BigInteger, Column, Date, ForeignKey, Table, Text, text

from domain.rules.usage import GroupBy, Usage
from domain.store.database import Reader, Store
from domain.store.schema import metadata
from domain.units import UserId

usage_watermarks = Table(
    "usage_watermarks",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False, server_default="0"),
    schema="credits",
)


usage_stats = Table(
    "usage_stats",
    metadata,
    Column(
        "user_id",
        Text,
        ForeignKey("credits.usage_watermarks.user_id", name="usage_stats_user_id_fkey"),
        primary_key=True,
    ),
    Column("day", Date, primary_key=True),
    Column("app_id", Text, primary_key=True),
    Column("credits", BigInteger, nullable=False),
    Column("uses", BigInteger, nullable=False),
    schema="credits",
)

_BEHIND: Final = text("""
SELECT b.user_id FROM credits.balances b LEFT JOIN credits.usage_watermarks w USING (user_id)
WHERE b.version > coalesce(w.seq, 0) AND b.user_id > :after ORDER BY b.user_id LIMIT :most
""")
_OPEN: Final = text("""
INSERT INTO credits.usage_watermarks (user_id) SELECT * FROM unnest(CAST(:users AS text[])) AS u (id) ORDER BY u.id
ON CONFLICT ON CONSTRAINT usage_watermarks_pkey DO NOTHING
""")
_LOCK: Final = text("""
SELECT user_id FROM credits.usage_watermarks WHERE user_id = ANY (CAST(:users AS text[]))
ORDER BY user_id FOR UPDATE SKIP LOCKED
""")
# One statement, one view of the ledger: what is counted always agrees with how far it is counted.
_COUNT: Final = text("""
WITH fresh AS MATERIALIZED (
    SELECT t.user_id, t.seq, t.type, t.app_id, t.amount, (t.created_at AT TIME ZONE 'UTC')::date AS day
    FROM credits.usage_watermarks w JOIN credits.transactions t
      ON t.user_id = w.user_id AND t.seq > w.seq AND t.seq <= w.seq + :most
    WHERE w.user_id = ANY (CAST(:users AS text[]))
), marked AS (
    UPDATE credits.usage_watermarks w SET seq = f.seq
    FROM (SELECT user_id, max(seq) AS seq FROM fresh GROUP BY user_id) f WHERE w.user_id = f.user_id
)
INSERT INTO credits.usage_stats AS s (user_id, app_id, day, credits, uses)
SELECT user_id, app_id, day, sum(-amount), count(*) FROM fresh WHERE type = 'usage' GROUP BY user_id, app_id, day
ON CONFLICT ON CONSTRAINT usage_stats_pkey
DO UPDATE SET credits = s.credits + excluded.credits, uses = s.uses + excluded.uses
""")
# The counted statistics, and the end of the ledger that is not counted yet: exact at any moment.
_READ: Final = """
SELECT {group}, sum(credits)::bigint AS credits, sum(uses)::bigint AS uses FROM (
    SELECT app_id, day, credits, uses FROM credits.usage_stats
    WHERE user_id = :user_id AND day >= :from_day AND day < :to_day
    UNION ALL
    SELECT app_id, (created_at AT TIME ZONE 'UTC')::date, -amount, 1 FROM credits.transactions
    WHERE user_id = :user_id AND type = 'usage'
      AND seq > coalesce((SELECT seq FROM credits.usage_watermarks WHERE user_id = :user_id), 0)
      AND (created_at AT TIME ZONE 'UTC')::date >= :from_day AND (created_at AT TIME ZONE 'UTC')::date < :to_day
) used GROUP BY {group} ORDER BY {group}
"""


def users_behind(reader: Reader, *, after: UserId, most: int) -> list[UserId]:
    """Find users whose ledger has grown since it was counted, in order, from behind `after` on."""
    return [UserId(row.user_id) for row in reader.run(_BEHIND, {"after": after, "most": most})]


def count_up(store: Store, users: Sequence[UserId], *, most_each: int) -> None:
    """Count these users' uncounted transactions, at most `most_each` of each; users being counted now are left out."""
    store.run(_OPEN, {"users": list(users)})
    # The locks come first: the statement that counts must see the watermarks that another count has moved.
    locked = [row.user_id for row in store.run(_LOCK, {"users": list(users)})]
    store.run(_COUNT, {"users": locked, "most": most_each})


def read(reader: Reader, user_id: UserId, *, from_day: date, to_day: date, group_by: GroupBy) -> list[Usage]:
    """Sum up what a user spent on the days from `from_day` to before `to_day`, UTC."""
    group = {GroupBy.APP: "app_id", GroupBy.DAY: "day"}[group_by]
    days = {"user_id": user_id, "from_day": from_day, "to_day": to_day}
    return [
        Usage(
            app_id=row.app_id if group_by is GroupBy.APP else None,
            day=row.day if group_by is GroupBy.DAY else None,
            credits=row.credits,
            uses=row.uses,
        )
        for row in reader.run(text(_READ.format(group=group)), days)
    ]
