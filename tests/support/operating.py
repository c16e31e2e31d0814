"""What operators do on a running service, and the failed jobs that they meet."""

import json
from typing import Any, Final
from uuid import uuid4

import psycopg

from domain.rules.stripe_events import mark_of
from tests.support.faults import payment_event
from tests.support.service import Service

FAILED_JOB: Final = """
    INSERT INTO jobs.jobs (id, kind, queue, key, payload, state, attempts, problem, next_at, enqueued_at, created_at,
                           finished_at)
    VALUES (%(id)s, 'stripe', 'default', %(key)s, %(payload)s, 'failed', 8,
            '{"code": "job_failed", "title": "Job failed", "detail": "Failed 8 times"}',
            now(), now(), now() - interval '2 h', now() - interval '1 h')"""
ATTEMPT: Final = """
    INSERT INTO jobs.attempts (id, job_id, worker, error_class, message, traceback, failed_at)
    VALUES (%s, %s, 'there:1', %s, %s, 'Traceback', now() - interval '1 h')"""
PURCHASE: Final = """
    INSERT INTO credits.purchases (id, user_id, package_id, package_name, credits, price_euro_cents, created_at)
    SELECT %s, %s, id, name, credits, price_euro_cents, now() FROM credits.packages WHERE name = 'Small'"""


def operate(service: Service, *words: str, status: int = 0) -> Any:
    """Run a command as the operator would, and read its JSON."""
    ended = service.command(*words, "--json")
    assert ended.returncode == status, ended.stderr
    return json.loads(ended.stdout)


def failed_payments(
    service: Service, user: str, error: str, message: str, *, count: int, are_here: bool = True
) -> list[str]:
    """Write failed jobs of payments that were made and not credited; returns the ids of their purchases.

    Args:
        are_here: Whether the purchases are in the database; without them no retry succeeds.
    """
    purchases = []
    with psycopg.connect(service.stack.env["DATABASE_URL"]) as connection:
        for _ in range(count):
            purchase_id, job_id = str(uuid4()), uuid4()
            event = payment_event(purchase_id)
            if are_here:
                connection.execute(PURCHASE, [purchase_id, user])
            mark = mark_of(event, service.stack.env["STRIPE_WEBHOOK_SECRET"])
            payload = json.dumps({"event": event, "mark": mark})
            connection.execute(FAILED_JOB, {"id": job_id, "key": f"stripe:{event['id']}", "payload": payload})
            connection.execute(ATTEMPT, [uuid4(), job_id, error, message.replace("ID", purchase_id)])
            purchases.append(purchase_id)
    return purchases
