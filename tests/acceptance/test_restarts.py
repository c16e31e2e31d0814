"""What operators do to a running service: restart all of it again and again, release on it, restore its backup."""

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import psycopg
from psycopg import sql

from local.programs import PROJECT, read_procfile
from tests.support.service import PATIENCE_S, Answer, Service, eventually

RESTARTS: Final = int(os.environ.get("MANA_FAULT_RESTARTS", "2"))
"""How often everything is restarted under load; more of it shows rarer races."""


def test_a_rolling_restart_of_everything_and_a_release_under_load_refuse_and_lose_nothing(
    service: Service, user: str
) -> None:
    service.call(
        "POST", "/api/v1/internal/credits/refund", {"userId": user, "amount": 1_000_000, "description": "Seed"}
    )
    body = {"userId": user, "amount": 1, "appId": "chat", "description": "A question"}
    ended = threading.Event()

    def spend(spender: int) -> int:
        spent = 0
        while not ended.is_set():
            answer = retried(service, body, key=f"{spender}-{spent}")
            assert answer.status == 200, answer.body
            spent += 1
        return spent

    with ThreadPoolExecutor(4) as pool:
        spenders = [pool.submit(spend, number) for number in range(4)]
        try:
            for _ in range(RESTARTS):
                for name in ("worker", "scheduler", "web"):
                    service.stack.processes[name].stop()
                    service.stack.processes[name].start()
                    service.stack.wait_until_ready()
            release(service)
        finally:
            ended.set()
        spent = sum(spender.result() for spender in spenders)

    assert service.balance(user) == 1_000_000 - spent
    assert spent > RESTARTS


def retried(service: Service, body: object, *, key: str) -> Answer:
    """Send a use until it is answered: while web is away nobody listens, and the key makes repeats harmless."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            return service.call("POST", "/api/v1/internal/credits/use", body, Idempotency_Key=key)
        except OSError:
            time.sleep(0.05)
    raise AssertionError("nobody has listened for a minute")


def release(service: Service) -> None:
    """Run the Procfile's `release` as a deployment does."""
    command = read_procfile(PROJECT / "Procfile")["release"]
    subprocess.run(
        ["sh", "-c", command],
        cwd=PROJECT,
        env=service.environment(),
        check=True,
        capture_output=True,
        timeout=PATIENCE_S,
    )


def test_a_backup_restored_into_a_second_database_holds_every_invariant(service: Service, user: str) -> None:
    started = service.bought(user)
    service.pay(started["clientSecret"])
    eventually(lambda: service.balance(user), lambda balance: balance == 100)
    service.call("POST", "/api/v1/gifts", {"totalCredits": 10}, user=user)
    service.call("POST", "/api/v1/internal/credits/reserve", {"userId": user, "amount": 20, "reason": "Research"})
    service.call("POST", "/api/v1/sync/activate", user=user)
    eventually(service.drained)
    url = service.stack.postgres.url("mana_credits")
    restored = f"{url}_restored"
    name = sql.Identifier(restored.rpartition("/")[2])

    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(name))
        owner.execute(sql.SQL("CREATE DATABASE {}").format(name))
    programs = service.stack.postgres.binary
    dump = subprocess.run([programs("pg_dump"), url], check=True, capture_output=True, timeout=PATIENCE_S).stdout
    restore = [programs("psql"), "--quiet", "--set", "ON_ERROR_STOP=1", restored]
    subprocess.run(restore, input=dump, check=True, capture_output=True, timeout=PATIENCE_S)

    environment = service.environment(DATABASE_URL=restored)
    audit = [sys.executable, "-m", "ops.cli", "audit"]
    subprocess.run(audit, cwd=PROJECT, env=environment, check=True, capture_output=True, timeout=PATIENCE_S)
    money = "SELECT count(*), sum(amount), sum(balance_after) FROM credits.transactions"
    with psycopg.connect(restored) as connection:
        assert connection.execute(money).fetchall() == service.sql(money)
