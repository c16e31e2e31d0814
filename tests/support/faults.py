"""What dies, stops and is delivered in the tests of the running service."""

import json
import os
import signal
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import stripe

from tests.support.service import Service, eventually


def paid_event(service: Service, user: str) -> dict[str, Any]:
    """Make the event that tells the payment of a pending purchase of ours, without Stripe."""
    purchase_id = str(uuid4())
    service.sql(
        "INSERT INTO credits.purchases (id, user_id, package_id, package_name, credits, price_euro_cents, created_at) "
        "SELECT %s, %s, id, name, credits, price_euro_cents, now() FROM credits.packages WHERE name = 'Small'",
        purchase_id,
        user,
    )
    return payment_event(purchase_id)


def payment_event(purchase_id: str) -> dict[str, Any]:
    """Write Stripe's event of a purchase's payment."""
    intent = {
        "id": f"pi_{uuid4().hex}",
        "object": "payment_intent",
        "amount": 100,
        "currency": "eur",
        "metadata": {"purchase_id": purchase_id},
    }
    return {
        "id": f"evt_{uuid4().hex}",
        "object": "event",
        "type": "payment_intent.succeeded",
        "created": int(time.time()),
        "livemode": False,
        "data": {"object": intent},
    }


def deliver(service: Service, event: dict[str, Any]) -> int:
    """Post an event to the webhook as Stripe does; returns the status."""
    body = json.dumps(event)
    secret = service.stack.env["STRIPE_WEBHOOK_SECRET"]
    signature = stripe.WebhookSignature.generate_signature_header(body, secret)
    url = f"{service.stack.base_url}/api/v1/webhooks/stripe"
    request = urllib.request.Request(url, body.encode(), {"Stripe-Signature": signature})  # noqa: S310
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        status: int = answer.status
    return status


@contextmanager
def job_held_in_its_transaction(service: Service, user: str) -> Iterator[str]:
    """Deliver a payment whose job a worker has started and cannot end: the test holds the lock on its purchase.

    Yields the purchase's id. The worker gives up waiting for the lock after two seconds, and does the job later.
    """
    event = paid_event(service, user)
    purchase_id = event["data"]["object"]["metadata"]["purchase_id"]
    with psycopg.connect(service.stack.env["DATABASE_URL"]) as blocker:
        blocker.execute("SELECT id FROM credits.purchases WHERE id = %s FOR UPDATE", [purchase_id])
        assert deliver(service, event) == 200
        # Started: the lease is committed, and the effect waits for our lock.
        started = "SELECT id FROM jobs.jobs WHERE key = %s AND starts > 0 AND state = 'pending'"
        eventually(lambda: service.sql(started, f"stripe:{event['id']}"))
        yield purchase_id


def worker_children(service: Service) -> list[int]:
    """Find Dramatiq's processes below the Procfile's worker line."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    above = {service.stack.processes["worker"].pid or 0}
    children: set[int] = set()
    while above:
        above = {pid for pid, parent in parents.items() if parent in above}
        children |= above
    return sorted(children)


def signal_workers(service: Service, sent: signal.Signals) -> None:
    """Send a signal to every process of the worker."""
    for pid in worker_children(service):
        with suppress(ProcessLookupError):
            os.kill(pid, sent)


@contextmanager
def workers_stopped(service: Service) -> Iterator[None]:
    """Stop every process of the worker while the block runs, in the middle of whatever it does."""
    signal_workers(service, signal.SIGSTOP)
    try:
        yield
    finally:
        signal_workers(service, signal.SIGCONT)
