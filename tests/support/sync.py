"""Cloud Sync: subscriptions at any point of their lives, and their charges."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from domain.store import Database
from tests.support.jobs import do, pending
from tests.support.plain_sql import rows
from tests.support.worker import worker
from workers.schedule import record_renewals


def renew_due(database: Database, url: str) -> None:
    """Let one tick record what is due and one worker do it."""
    parts = worker(database)
    record_renewals(parts, now=datetime.now(UTC))
    do(parts, pending(url, "renew"))


def subscribe(url: str, *user_ids: str, due: timedelta = timedelta(minutes=-1), interval: str = "monthly") -> None:
    """Write active subscriptions by the contract's columns alone, charged `due` from now and a month before."""
    now = datetime.now(UTC)
    amount = {"monthly": 30, "quarterly": 90, "yearly": 360}[interval]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.cursor().executemany(
            "INSERT INTO credits.sync_subscriptions (user_id, active, billing_interval, amount_charged, activated_at,"
            " anchor_at, next_charge_at, created_at, updated_at)"
            " VALUES (%s, true, %s, %s, %s, %s, %s, %s, %s)",
            [
                (user_id, interval, amount, now, now + due - timedelta(days=62), now + due, now, now)
                for user_id in user_ids
            ],
        )


def charges(url: str) -> dict[str, int]:
    """Count what was charged for sync, by user."""
    return dict(rows(url, "SELECT user_id, count(*) FROM credits.transactions WHERE counterparty = 'sync' GROUP BY 1"))


def state(url: str, user_id: str) -> tuple[Any, ...]:
    """Read `active`, whether paused, and whether there is a next charge."""
    return rows(
        url,
        "SELECT active, paused_at IS NOT NULL, next_charge_at IS NOT NULL FROM credits.sync_subscriptions"
        " WHERE user_id = %s",
        user_id,
    )[0]
