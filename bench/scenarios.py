"""Scenarios: spending, reading, a growing ledger, and Stripe's webhook."""

import json
import random
import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Final
from uuid import uuid4

import stripe

from bench import load
from bench.ground import USERS, Ground, Row

EVENTS: Final = 2_000
LEDGER_ROWS: Final = 1_000_000
_number = count()


def spending(ground: Ground) -> Iterator[Row]:
    """`POST /internal/credits/use`: random users with and without a key, and one hot user."""
    for connections in (16, 64):
        yield ground.measure("use, with a key", use_requests(ground, keyed=True), connections=connections)
        yield ground.measure("use, without a key", use_requests(ground, keyed=False), connections=connections)
        yield ground.measure("use, one hot user", use_requests(ground, keyed=False, users=1), connections=connections)


def reading(ground: Ground) -> Iterator[Row]:
    """`GET /credits/balance` with a token."""
    tokens = [ground.stack.token(f"bench-{n + 1}") for n in range(100)]
    requests = [load.http("GET", "/api/v1/credits/balance", Authorization=f"Bearer {token}") for token in tokens]
    for connections in (16, 64):
        yield ground.measure("balance", lambda: random.choice(requests), connections=connections, mode="-S")  # noqa: S311


def growth(ground: Ground) -> Iterator[Row]:
    """`use`, the balance and the history with 1 000 000 rows in the ledger, and with few."""
    token = ground.stack.token("bench-1")
    history = load.http("GET", "/api/v1/credits/transactions", Authorization=f"Bearer {token}")
    for rows in (10_000, LEDGER_ROWS):
        _fill(ground, rows)
        yield ground.measure(f"use, ledger of {rows:,} rows", use_requests(ground, keyed=True), connections=16)
        yield ground.measure(f"history, ledger of {rows:,} rows", lambda: history, connections=16, mode="-S")


def webhook(ground: Ground) -> Iterator[Row]:
    """Paid purchases: events accepted per second, and purchases credited per second by the workers."""
    events = _paid_purchases(ground, EVENTS)
    secret = ground.stack.env["STRIPE_WEBHOOK_SECRET"].split(",")[0]
    deliveries = iter([_delivery(event, secret) for event in events])
    beside = ground.pgbench("-N", 16)
    with ground.count_cpu() as usage:
        began = time.perf_counter()
        accepted = load.run_all(ground.port, deliveries, connections=16)
        while ground.has_pending_jobs():
            time.sleep(0.02)
        seconds = time.perf_counter() - began
    usage.beside = beside
    yield Row(
        name="webhook accepted, 16 connections",
        per_second=accepted.per_second,
        beside=beside,
        p50_ms=accepted.percentile_ms(0.5),
        p99_ms=accepted.percentile_ms(0.99),
    )
    yield Row(
        name="webhook to ledger, from the first event to the last credit",
        per_second=EVENTS / seconds,
        **usage.per(EVENTS),
    )


def use_requests(ground: Ground, *, keyed: bool, users: int = USERS) -> Callable[[], bytes]:
    """Build a function that writes the next `use` of one credit, by a random user."""

    def request() -> bytes:
        body = {"userId": f"bench-{random.randint(1, users)}", "amount": 1, "appId": "bench", "description": "Bench"}  # noqa: S311
        if keyed:
            body["idempotencyKey"] = f"{time.time_ns()}-{next(_number)}"
        return load.post("/api/v1/internal/credits/use", body, X_Service_Key=ground.service_key)

    return request


def _fill(ground: Ground, rows: int) -> None:
    """Grow the ledger to `rows` rows, spread over the users, through the one function that moves credits."""
    with ground.sql() as connection:
        row = connection.execute("SELECT count(*) FROM credits.transactions").fetchone()
        missing = rows - (row[0] if row else 0)
        for first in range(0, max(missing, 0), 50_000):
            batch = min(50_000, missing - first)
            connection.execute(_SPEND, {"rows": batch, "users": USERS})
        connection.execute("VACUUM ANALYZE credits.transactions")


def _paid_purchases(ground: Ground, purchases: int) -> list[dict[str, object]]:
    """Record pending purchases, and build the events of their payment."""
    with ground.sql() as connection:
        rows = connection.execute(_PURCHASES, {"purchases": purchases}).fetchall()
    return [_event(str(purchase_id), price) for purchase_id, price in rows]


def _event(purchase_id: str, price: int) -> dict[str, object]:
    intent = {
        "id": f"pi_{uuid4().hex}",
        "object": "payment_intent",
        "amount": price,
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


def _delivery(event: dict[str, object], secret: str) -> bytes:
    body = json.dumps(event)
    signature = stripe.WebhookSignature.generate_signature_header(body, secret)
    return load.http("POST", "/api/v1/webhooks/stripe", body.encode(), Stripe_Signature=signature)


_SPEND: Final = """
SELECT count(appended.id) FROM generate_series(1, %(rows)s) AS n, LATERAL credits.append(
    gen_random_uuid(), 'bench-' || (n %% %(users)s + 1), 'usage', -1, 'bench', 'app:bench', 'To fill', NULL,
    gen_random_uuid()::text, NULL, NULL, now()) AS appended
"""
_PURCHASES: Final = """
INSERT INTO credits.purchases (id, user_id, package_id, package_name, credits, price_euro_cents, created_at)
SELECT gen_random_uuid(), 'bench-' || n, p.id, p.name, p.credits, p.price_euro_cents, now()
FROM generate_series(1, %(purchases)s) n, (SELECT * FROM credits.packages LIMIT 1) p RETURNING id, price_euro_cents
"""
