"""Cloud Sync through the whole machine: web, Valkey, workers, PostgreSQL."""

import os
import signal
from contextlib import suppress

from tests.support.faults import worker_children
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

    activated = service.call("POST", "/api/v1/sync/activate", {}, user=user)
    service.sql(
        "UPDATE credits.sync_subscriptions SET anchor_at = anchor_at - interval '32 days',"
        " next_charge_at = next_charge_at - interval '32 days' WHERE user_id = %s",
        user,
    )
    charged = service.call("POST", "/api/v1/internal/sync/charge-recurring")

    assert (activated.status, activated.body["amountCharged"]) == (200, 30)
    assert (charged.status, charged.body) == (200, {"charged": 1, "paused": 0, "errors": 0, "total": 1})
    assert service.balance(user) == 0


def test_an_impatient_caller_and_dying_workers_charge_everyone_once(service: Service, user: str) -> None:
    count = 3_000
    service.sql(SEED, count, user)
    service.sql(DUE, user, count)

    for _ in range(3):
        service.call("POST", "/api/v1/internal/sync/charge-recurring", Prefer="respond-async")
        eventually(lambda: service.sql(CHARGES, user)[0][0] > 0)
        for pid in worker_children(service):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    eventually(lambda: service.sql(CHARGES, user)[0][0], lambda charged: charged == count, within_s=120)
    assert service.sql(CHARGES, user) == [(count, count)]
