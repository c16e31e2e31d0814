"""Starting, refusing to start, and ending well."""

import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import psycopg
import pytest

from local.programs import PROJECT, read_procfile
from tests.support.faults import deliver, job_held_in_its_transaction, paid_event, signal_workers
from tests.support.service import PATIENCE_S, Service, eventually

EVENTS_MAX: Final = 10


@pytest.mark.parametrize("line", ["web", "worker", "scheduler"])
@pytest.mark.parametrize("secret", ["STRIPE_WEBHOOK_SECRET", "STRIPE_SECRET_KEY", "MANA_SERVICE_KEY"])
def test_no_process_starts_without_its_secrets(service: Service, line: str, secret: str) -> None:
    environment = service.environment(**{secret: " "})
    command = read_procfile(PROJECT / "Procfile")[line]

    ended = subprocess.run(
        ["sh", "-c", command],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
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
    eventually(service.drained)
    assert service.balance(user) == 60 * 100


def is_locked(service: Service, purchase_id: str) -> bool:
    try:
        service.sql("SELECT id FROM credits.purchases WHERE id = %s FOR UPDATE NOWAIT", purchase_id)
    except psycopg.errors.LockNotAvailable:
        return True
    return False


def gets_the_lock(service: Service, purchase_id: str) -> bool:
    """Wait until the stopped worker's session has locked the purchase, or has given up."""
    waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    eventually(lambda: not service.sql(waiting))
    return is_locked(service, purchase_id)


def test_a_worker_stopped_in_its_transaction_frees_its_locks_and_writes_nothing_late(
    service: Service, user: str
) -> None:
    events = 0
    held = False
    while not held:  # a worker that is stopped too late has given up waiting for our lock
        assert events < EVENTS_MAX
        events += 1
        with job_held_in_its_transaction(service, user) as purchase_id:
            signal_workers(service, signal.SIGSTOP)
        held = gets_the_lock(service, purchase_id)
        if not held:
            signal_workers(service, signal.SIGCONT)
    # The sleeper got its lock when ours was freed: PostgreSQL ends such a session after 10 s.
    eventually(lambda: not is_locked(service, purchase_id))
    signal_workers(service, signal.SIGCONT)

    eventually(service.drained)
    assert service.balance(user) == events * 100
    ended = "SELECT count(*) FROM credits.transactions WHERE user_id = %s"
    assert service.sql(ended, user) == [(events,)]
