"""Renewals of Cloud Sync: a wave among many idle subscriptions, requests served meanwhile, and the gate."""

import json
import os
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker

import settings
from bench import load, processes
from bench.ground import Ground, Row
from bench.scenarios import use_requests
from domain.operations.renewals import PAGE
from domain.rules.jobs import Queue
from domain.store.renewals import DUE_PAGE
from gateways.bell import queue_name

SUBSCRIPTIONS: Final = int(os.environ.get("BENCH_SUBSCRIPTIONS", "1000000"))
DUE: Final = int(os.environ.get("BENCH_DUE", "100000"))
FIRST_DUE: Final = min(2_000, DUE)
CONNECTIONS: Final = 16
LOOKUPS: Final = 1_000
BUYERS: Final = 500  # each may start ten purchases an hour
PAUSE_S: Final = 0.1
"""Between two checks whether a wave is over, and between the answer to a purchase and the next purchase."""

USE_PAUSE_S: Final = 0.02


def renewals(ground: Ground) -> Iterator[Row]:
    """A wave alone, a wave with purchases and uses beside it, the look-up among idle rows, the gate."""
    _subscribe(ground)
    ground.plan = _plan(ground)
    yield _idle(ground)
    ground.stack.processes["scheduler"].stop()  # the benchmark sends the ticks, so that their time is known
    _make_due(ground, behind=0, count=FIRST_DUE)
    _tick_and_wait(ground)  # now every worker process is warm
    yield _alone(ground)
    yield from _beside(ground)
    ground.stack.processes["scheduler"].start()
    yield from _gate(ground)


def _alone(ground: Ground) -> Row:
    """A wave with nothing beside it, with pgbench just before and just after."""
    _make_due(ground, behind=FIRST_DUE, count=DUE)
    with ground.beside_pgbench("-N", CONNECTIONS) as usage:
        wave = _tick_and_wait(ground)
    return Row(
        name=f"renewals, {DUE:,} due of {SUBSCRIPTIONS:,}",
        per_second=DUE / wave.seconds,
        remark=f"{wave.seconds:.1f} s; workers' memory: {wave.memory}",
        **usage.per(DUE),
    )


def _beside(ground: Ground) -> Iterator[Row]:
    """Purchases and uses, a few each second, without a wave and during a wave."""
    until = time.perf_counter() + ground.seconds
    yield from _served(ground, "without a wave", lambda: time.perf_counter() > until)
    _make_due(ground, behind=FIRST_DUE + DUE, count=DUE)
    with ThreadPoolExecutor(1) as pool:
        wave = pool.submit(_tick_and_wait, ground)
        rows = list(_served(ground, "during a wave", wave.done))
    ended = wave.result()
    beside = f"beside {DUE / ended.seconds:,.0f} renewals/s; workers' memory: {ended.memory}"
    yield from (replace(row, remark=f"{beside} {row.remark}".strip()) for row in rows)


def _gate(ground: Ground) -> Iterator[Row]:
    """`GET /internal/sync/status/<user>`: whether a user may sync."""
    paths = [f"/api/v1/internal/sync/status/sync-{n}" for n in random.sample(range(1, SUBSCRIPTIONS + 1), 1_000)]
    requests = [load.http("GET", path, X_Service_Key=ground.service_key) for path in paths]
    for connections in (16, 64):
        yield ground.measure("sync gate", lambda: random.choice(requests), connections=connections, mode="-S")  # noqa: S311


def _idle(ground: Ground) -> Row:
    """Look for due subscriptions when none is due, among all the idle ones: the cost of a tick."""
    beside = ground.pgbench("-S", 1)
    with ground.sql() as connection:
        began = time.perf_counter()
        for _ in range(LOOKUPS):
            connection.execute(DUE_PAGE, _first_page(), prepare=True)
        seconds = time.perf_counter() - began
    return Row(name=f"look for what is due among {SUBSCRIPTIONS:,} idle", per_second=LOOKUPS / seconds, beside=beside)


def _plan(ground: Ground) -> str:
    with ground.sql() as connection:
        connection.execute(DUE_PAGE, _first_page())  # now everything is in memory
        plan = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS) {DUE_PAGE}", _first_page())
        return "\n".join(line for (line,) in plan)


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
        """The memory at the first sample, the most, and at the last, as text."""
        first, last = self.resident_mb[0], self.resident_mb[-1]
        return f"{first:,.0f} MB at first, {max(self.resident_mb):,.0f} at most, {last:,.0f} at last"


def _tick_and_wait(ground: Ground) -> _Wave:
    """Send a tick as the scheduler does, and wait until nothing is due."""
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
    broker = RedisBroker(  # type: ignore[no-untyped-call]
        client=redis.Redis.from_url(ground.stack.env["REDIS_URL"]), middleware=[], namespace=settings.redis_namespace()
    )
    message: dramatiq.Message[None] = dramatiq.Message(
        queue_name=queue_name(Queue.DEFAULT), actor_name="tick", args=(), kwargs={}, options={}
    )
    broker.enqueue(message)


def _subscribe(ground: Ground) -> None:
    """Make active subscriptions that are charged within the next weeks; every tenth user cannot pay."""
    with ground.sql() as connection:
        for statement in (_BALANCES, _GRANTS, _SUBSCRIPTIONS):
            connection.execute(statement, {"subscriptions": SUBSCRIPTIONS})
        connection.execute("VACUUM ANALYZE")


def _make_due(ground: Ground, *, behind: int, count: int) -> None:
    """Make the next `count` subscriptions due, after the first `behind`, when all other jobs are done."""
    _tick(ground)  # the scheduled jobs of this minute are done before the wave
    time.sleep(1)
    while ground.has_pending_jobs():
        time.sleep(PAUSE_S)
    with ground.sql() as connection:
        connection.execute(_MAKE_DUE, {"behind": behind, "last": behind + count, "now": datetime.now(UTC)})
        connection.execute("VACUUM ANALYZE credits.sync_subscriptions, credits.transactions, jobs.jobs")
        connection.execute("CHECKPOINT")


def _served(ground: Ground, when: str, is_over: Callable[[], bool]) -> Iterator[Row]:
    """Buy and use credits, one after the other on a connection each, until it is over."""
    purchases, uses = _purchases(ground), use_requests(ground, keyed=True)
    with ThreadPoolExecutor(2) as pool:
        runs = {
            f"purchase, {when}": pool.submit(_send, ground, purchases, PAUSE_S, is_over),
            f"use, {when}": pool.submit(_send, ground, uses, USE_PAUSE_S, is_over),
        }
    for name, future in runs.items():
        measured = future.result()
        yield Row(
            name=name,
            per_second=measured.per_second,
            p50_ms=measured.percentile_ms(0.5),
            p99_ms=measured.percentile_ms(0.99),
            remark=measured.remark,
        )


def _send(ground: Ground, request: Callable[[], bytes], pause_s: float, is_over: Callable[[], bool]) -> load.Measured:
    def requests() -> Iterator[bytes]:
        while not is_over():
            yield request()
            time.sleep(pause_s)

    return load.run_all(ground.port, requests(), connections=1)


def _purchases(ground: Ground) -> Callable[[], bytes]:
    """Build a function that writes the next purchase of the smallest package. Its answer waits for the worker."""
    tokens = [ground.stack.token(f"bench-{n + 1}") for n in range(BUYERS)]
    with ground.sql() as connection:
        ((package_id,),) = connection.execute("SELECT id FROM credits.packages ORDER BY sort_order LIMIT 1").fetchall()
    body = json.dumps({"packageId": str(package_id)}).encode()
    headers = [{"Authorization": f"Bearer {token}", "Prefer": "wait=10"} for token in tokens]
    return lambda: load.http("POST", "/api/v1/credits/purchase", body, **random.choice(headers))  # noqa: S311


_BALANCES: Final = """
INSERT INTO credits.balances (user_id, balance, total_earned, version, created_at, updated_at)
SELECT 'sync-' || n, given, given, 1, now(), now()
FROM generate_series(1, %(subscriptions)s) n, LATERAL (SELECT CASE WHEN n %% 10 = 0 THEN 29 ELSE 60 END) AS seed (given)
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
