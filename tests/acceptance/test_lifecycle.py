"""Starting, refusing to start, and ending well."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from local.programs import PROJECT, read_procfile
from tests.support.faults import deliver, paid_event, worker_children
from tests.support.service import Service, eventually


@pytest.mark.parametrize("line", ["web", "worker", "scheduler"])
@pytest.mark.parametrize("secret", ["STRIPE_WEBHOOK_SECRET", "STRIPE_SECRET_KEY", "MANA_SERVICE_KEY"])
def test_no_process_starts_without_its_secrets(service: Service, line: str, secret: str) -> None:
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, **service.stack.env, "PATH": programs, secret: " "}
    command = read_procfile(PROJECT / "Procfile")[line]

    ended = subprocess.run(
        ["sh", "-c", command], cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=20, check=False
    )

    assert ended.returncode != 0
    assert f"{secret} is missing or empty" in ended.stderr


def test_a_worker_asked_to_end_finishes_what_it_does_within_25_seconds(service: Service, user: str) -> None:
    events = [paid_event(service, user) for _ in range(60)]
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda event: deliver(service, event), events)) == {200}

    began = time.monotonic()
    service.stack.processes["worker"].stop()
    took = time.monotonic() - began
    left_leased = service.sql("SELECT count(*) FROM jobs.jobs WHERE state = 'pending' AND leased_until > now()")
    service.stack.processes["worker"].start()

    assert took < 25
    assert left_leased == [(0,)]
    eventually(service.drained, within_s=60)
    assert service.balance(user) == 60 * 100


def test_a_worker_stopped_in_its_transaction_frees_its_locks_and_writes_nothing_late(
    service: Service, user: str
) -> None:
    event = paid_event(service, user)
    purchase_id = event["data"]["object"]["metadata"]["purchase_id"]

    with psycopg.connect(service.stack.env["DATABASE_URL"]) as blocker:
        blocker.execute("SELECT id FROM credits.purchases WHERE id = %s FOR UPDATE", [purchase_id])
        assert deliver(service, event) == 200
        eventually(lambda: service.sql("SELECT id FROM jobs.jobs WHERE starts = 1 AND state = 'pending'"))
        children = worker_children(service)
        for child in children:
            os.kill(child, signal.SIGSTOP)
    # The sleeper got its lock when ours was freed, and holds it: PostgreSQL ends such a session after 10 s.
    asleep_s = 12
    time.sleep(asleep_s)
    locked = "SELECT id FROM credits.purchases WHERE id = %s FOR UPDATE NOWAIT"
    assert service.sql(locked, purchase_id)
    for child in children:
        os.kill(child, signal.SIGCONT)

    eventually(service.drained, within_s=90)
    assert service.balance(user) == 100
    ended = "SELECT count(*) FROM credits.transactions WHERE user_id = %s"
    assert service.sql(ended, user) == [(1,)]
