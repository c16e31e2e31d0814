"""Renewals of Cloud Sync: a wave among many idle subscriptions, what else is served meanwhile, and the gate."""

import json
import os
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker

from bench import load, processes
from bench.ground import USERS, Ground, Row
from domain.operations.renewals import PAGE
from domain.rules.jobs import Queue
from domain.store.renewals import DUE_PAGE

SUBSCRIPTIONS: Final = int(os.environ.get("BENCH_SUBSCRIPTIONS", "1000000"))
DUE: Final = int(os.environ.get("BENCH_DUE", "100000"))
FIRST_DUE: Final = min(2_000, DUE)
CONNECTIONS: Final = 16
LOOKS: Final = 1_000
BUYERS: Final = 50
PAUSE_S: Final = 0.1
"""Between the looks whether a wave is over, and between the answer to a purchase and the next purchase."""

USE_PAUSE_S: Final = 0.02
OK: Final = 200


def renewals(ground: Ground) -> Iterator[Row]:
    """A wave alone, a wave with purchases and uses beside it, the look-up among idle rows, the gate."""
    _subscribe(ground)
    ground.plan = _plan(ground)
    yield _idle(ground)
    ground.stack.processes["scheduler"].stop()  # the ticks are ours, so that it is known when one was
    _make_due(ground, behind=0, count=FIRST_DUE)
    _tick_and_wait(ground)  # now every worker process is warm
    yield _alone(ground)
    yield from _beside(ground)
    ground.stack.processes["scheduler"].start()
    yield from _gate(ground)


def _alone(ground: Ground) -> Row:
    """A wave with nothing beside it, with pgbench just before and just after."""
    _make_due(ground, behind=FIRST_DUE, count=DUE)
    before = ground.pgbench("-N", CONNECTIONS)
    service, postgresql = ground.cpu_seconds()
    wave = _tick_and_wait(ground)
    service_after, postgresql_after = ground.cpu_seconds()
    after = ground.pgbench("-N", CONNECTIONS)
    return Row(
        name=f"renewals, {DUE:,} due of {SUBSCRIPTIONS:,}",
        per_second=DUE / wave.seconds,
        beside=(before + after) / 2,
        service_us=(service_after - service) * 1e6 / DUE,
        postgresql_us=(postgresql_after - postgresql) * 1e6 / DUE,
        remark=f"{wave.seconds:.1f} s; workers' memory: {wave.memory}",
    )


def _beside(ground: Ground) -> Iterator[Row]:
    """Purchases and uses, some each second, without a wave and during one."""
    until = time.perf_counter() + ground.seconds
    yield from _served(ground, "without a wave", lambda: time.perf_counter() > until)
    _make_due(ground, behind=FIRST_DUE + DUE, count=DUE)
    with ThreadPoolExecutor(1) as pool:
        wave = pool.submit(_tick_and_wait, ground)
        rows = list(_served(ground, "during a wave", wave.done))
    over = wave.result()
    beside = f"beside {DUE / over.seconds:,.0f} renewals/s; workers' memory: {over.memory}"
    yield from (replace(row, remark=f"{beside} {row.remark}".strip()) for row in rows)


def _gate(ground: Ground) -> Iterator[Row]:
    """`GET /internal/sync/status/<user>`: whether a user may sync."""
    paths = [f"/api/v1/internal/sync/status/sync-{n}" for n in random.sample(range(1, SUBSCRIPTIONS + 1), 1_000)]
    requests = [load.http("GET", path, X_Service_Key=ground.service_key) for path in paths]
    for connections in (16, 64):
        yield ground.measure("sync gate", lambda: random.choice(requests), connections=connections, mode="-S")  # noqa: S311


def _idle(ground: Ground) -> Row:
    """Look for what is due when nothing is, among all the idle subscriptions: what a tick costs."""
    beside = ground.pgbench("-S", 1)
    with ground.sql() as connection:
        began = time.perf_counter()
        for _ in range(LOOKS):
            connection.execute(DUE_PAGE, _first_page(), prepare=True)
        took_s = time.perf_counter() - began
    return Row(name=f"look for what is due among {SUBSCRIPTIONS:,} idle", per_second=LOOKS / took_s, beside=beside)


def _plan(ground: Ground) -> str:
    with ground.sql() as connection:
        connection.execute(DUE_PAGE, _first_page())  # nothing is read from disk any more
        found = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS) {DUE_PAGE}", _first_page())
        return "\n".join(line for (line,) in found)


def _first_page() -> dict[str, object]:
    return {"now": datetime.now(UTC), "due_at": "-infinity", "user_id": "", "most": PAGE}


@dataclass(frozen=True, kw_only=True)
class _Wave:
    """A wave that is over.

    Attributes:
        seconds: From the tick to the last commit.
        resident_mb: Memory of the worker line's processes during it, sample by sample.
    """

    seconds: float
    resident_mb: list[float]

    @property
    def memory(self) -> str:
        """How much it was, from the first sample to the last."""
        first, last = self.resident_mb[0], self.resident_mb[-1]
        return f"{first:,.0f} MB at first, {max(self.resident_mb):,.0f} at most, {last:,.0f} at last"


def _tick_and_wait(ground: Ground) -> _Wave:
    """Tick as the scheduler does, and wait until nothing is due any more."""
    worker = ground.stack.processes["worker"].pid or 0
    resident_mb = [processes.resident_mb(worker)]
    began = time.perf_counter()
    _tick(ground)
    with ground.sql() as connection:
        while connection.execute(_IS_DUE).fetchone():
            time.sleep(PAUSE_S)
            resident_mb.append(processes.resident_mb(worker))
    return _Wave(seconds=time.perf_counter() - began, resident_mb=resident_mb)


def _tick(ground: Ground) -> None:
    broker = RedisBroker(client=redis.Redis.from_url(ground.stack.env["REDIS_URL"]), middleware=[])  # type: ignore[no-untyped-call]
    message: dramatiq.Message[None] = dramatiq.Message(
        queue_name=Queue.DEFAULT.value, actor_name="tick", args=(), kwargs={}, options={}
    )
    broker.enqueue(message)


def _subscribe(ground: Ground) -> None:
    """Make active subscriptions that are charged within the next weeks; every tenth user cannot pay."""
    with ground.sql() as connection:
        for statement in (_BALANCES, _GRANTS, _SUBSCRIPTIONS):
            connection.execute(statement, {"subscriptions": SUBSCRIPTIONS})
        connection.execute("VACUUM ANALYZE")


def _make_due(ground: Ground, *, behind: int, count: int) -> None:
    """Make the next `count` subscriptions due, behind the first ones, while nothing else is to be done."""
    _tick(ground)  # what the schedule wants of this minute is done before the wave
    time.sleep(1)
    with ground.sql() as connection:
        while connection.execute("SELECT 1 FROM jobs.jobs WHERE state = 'pending' LIMIT 1").fetchone():
            time.sleep(PAUSE_S)
        connection.execute(_MAKE_DUE, {"behind": behind, "last": behind + count, "now": datetime.now(UTC)})
        connection.execute("VACUUM ANALYZE credits.sync_subscriptions, credits.transactions, jobs.jobs")
        connection.execute("CHECKPOINT")


def _served(ground: Ground, when: str, is_over: Callable[[], bool]) -> Iterator[Row]:
    """Buy and use credits, one after the other on a connection each, until it is over."""
    purchases, uses = _purchases(ground), _uses(ground)
    with ThreadPoolExecutor(2) as pool:
        sent = {
            f"purchase, {when}": pool.submit(_send, ground, purchases, PAUSE_S, is_over),
            f"use, {when}": pool.submit(_send, ground, uses, USE_PAUSE_S, is_over),
        }
    for name, future in sent.items():
        measured = future.result()
        bad = {status: n for status, n in measured.statuses.items() if status != OK}
        yield Row(
            name=name,
            per_second=measured.per_second,
            p50_ms=measured.percentile_ms(0.5),
            p99_ms=measured.percentile_ms(0.99),
            remark=f"not 200: {bad}" if bad else "",
        )


def _send(ground: Ground, request: Callable[[], bytes], pause_s: float, is_over: Callable[[], bool]) -> load.Measured:
    def requests() -> Iterator[bytes]:
        while not is_over():
            yield request()
            time.sleep(pause_s)

    return load.run_all(ground.port, requests(), connections=1)


def _purchases(ground: Ground) -> Callable[[], bytes]:
    """Order the smallest package, and wait for the worker who opens the payment at the local Stripe."""
    tokens = [ground.stack.token(f"bench-{n + 1}") for n in range(BUYERS)]
    with ground.sql() as connection:
        ((package_id,),) = connection.execute("SELECT id FROM credits.packages ORDER BY sort_order LIMIT 1").fetchall()
    body = json.dumps({"packageId": str(package_id)}).encode()
    headers = [{"Authorization": f"Bearer {token}", "Prefer": "wait=10"} for token in tokens]
    return lambda: load.http("POST", "/api/v1/credits/purchase", body, **random.choice(headers))  # noqa: S311


def _uses(ground: Ground) -> Callable[[], bytes]:
    def request() -> bytes:
        user_id = f"bench-{random.randint(1, USERS)}"  # noqa: S311
        body = {"userId": user_id, "amount": 1, "appId": "bench", "description": "Bench"}
        key = uuid4().hex
        return load.http(
            "POST",
            "/api/v1/internal/credits/use",
            json.dumps(body).encode(),
            X_Service_Key=ground.service_key,
            Idempotency_Key=key,
        )

    return request


_BALANCES: Final = """
INSERT INTO credits.balances (user_id, balance, total_earned, version, created_at, updated_at)
SELECT 'sync-' || n, given, given, 1, now(), now()
FROM generate_series(1, %(subscriptions)s) n, LATERAL (SELECT CASE WHEN n %% 10 = 0 THEN 29 ELSE 60 END) AS made (given)
"""
_GRANTS: Final = """
INSERT INTO credits.transactions (id, user_id, seq, type, amount, balance_before, balance_after, total_earned,
    total_spent, app_id, counterparty, description, movement_key, created_at, completed_at)
SELECT gen_random_uuid(), user_id, 1, 'grant', balance, 0, balance, balance, 0, 'bench', 'bench:seed', 'To spend',
    'bench-seed', created_at, created_at
FROM credits.balances WHERE starts_with(user_id, 'sync-')
"""
_SUBSCRIPTIONS: Final = """
INSERT INTO credits.sync_subscriptions (user_id, active, anchor_at, next_charge_at)
SELECT 'sync-' || n, true, ends_at - interval '1 month', ends_at FROM generate_series(1, %(subscriptions)s) n,
    LATERAL (SELECT now() + interval '1 day' + make_interval(mins => n %% 30000)) AS paid (ends_at)
"""
_MAKE_DUE: Final = """
UPDATE credits.sync_subscriptions s SET anchor_at = s.anchor_at - (s.next_charge_at - %(now)s), next_charge_at = %(now)s
FROM generate_series(%(behind)s + 1, %(last)s) n WHERE s.user_id = 'sync-' || n
"""
_IS_DUE: Final = """
SELECT 1 FROM credits.sync_subscriptions WHERE active AND NOT is_gifted AND next_charge_at <= now() LIMIT 1
"""
