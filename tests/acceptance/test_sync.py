"""Cloud Sync through the whole machine: web, Valkey, workers, PostgreSQL."""

import signal

from tests.support.faults import signal_workers
from tests.support.service import Service, eventually

DUE = """
INSERT INTO credits.sync_subscriptions (user_id, active, anchor_at, next_charge_at)
SELECT %s || '-' || n, true, now() - interval '1 month', now() FROM generate_series(1, %s) n
"""
SEED = """
SELECT count(*) FROM generate_series(1, %s) n, LATERAL credits.append(gen_random_uuid(), %s || '-' || n, 'grant', 60,
    'test', 'test', 'To begin with', NULL, 'seed', NULL, NULL, now())
"""
CHARGES = """
SELECT count(*), count(DISTINCT user_id) FROM credits.transactions
WHERE counterparty = 'sync' AND starts_with(user_id, %s || '-')
"""


def test_sync_is_activated_within_the_wait_and_renewed_by_a_run(service: Service, user: str) -> None:
    service.sql(SEED, 1, user)
    user = f"{user}-1"

    activated = service.result(service.call("POST", "/api/v1/sync/activate", {}, user=user), user)
    charged = service.let_month_pass(user)

    assert activated["amountCharged"] == 30
    assert charged == {"charged": 1, "paused": 0, "errors": 0, "total": 1}
    assert service.balance(user) == 0


def test_an_impatient_caller_and_dying_workers_charge_everyone_once(service: Service, user: str) -> None:
    count = 3_000
    service.sql(SEED, count, user)
    service.sql(DUE, user, count)

    for _ in range(3):
        service.call("POST", "/api/v1/internal/sync/charge-recurring", Prefer="respond-async")
        eventually(lambda: service.sql(CHARGES, user)[0][0] > 0)
        signal_workers(service, signal.SIGKILL)

    eventually(lambda: service.sql(CHARGES, user)[0][0], lambda charged: charged == count)
    assert service.sql(CHARGES, user) == [(count, count)]
