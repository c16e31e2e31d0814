"""What the tests of Cloud Sync share: subscriptions at any point of their lives, and a worker without Redis."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg

import workers.handlers  # noqa: F401 - registers the handlers
from domain.store import Database
from gateways.notifier import Notifier
from process.parts import WorkerParts
from tests.workshop import worker
from workers.jobs import run_jobs
from workers.schedule import record_renewals


@dataclass
class Letterbox(Notifier):
    """The outside border of notices: keeps what would have been posted."""

    sent: list[tuple[str, Any]] = field(default_factory=list)

    def send(self, user_id: str, text: Any, *, key: str) -> None:
        """Keep a notice."""
        assert key
        self.sent.append((user_id, text))


def do(parts: WorkerParts, job_ids: Iterable[UUID | str]) -> None:
    """Do jobs as a message of their queue would."""
    run_jobs([UUID(str(job_id)) for job_id in job_ids], parts)


def renew_due(database: Database, url: str) -> None:
    """Let one tick record what is due and one worker do it."""
    parts = worker(database)
    record_renewals(parts, now=datetime.now(UTC))
    do(parts, pending(url, "renew"))


def pending(url: str, kind: str) -> list[UUID]:
    """List the jobs of a kind that have not ended."""
    return [
        row[0] for row in rows(url, "SELECT id FROM jobs.jobs WHERE kind = %s AND state = 'pending' ORDER BY id", kind)
    ]


def rows(url: str, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """Run SQL as an operator would."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(sql, values)
        return cursor.fetchall() if cursor.description else []


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
