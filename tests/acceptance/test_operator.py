"""An operator at night: three causes among ten thousand jobs, repaired and retried; and what dies meanwhile."""

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any, Final
from uuid import uuid4

import psycopg

from domain.rules.stripe_events import mark_of
from tests.acceptance.conftest import Service, eventually
from tests.acceptance.test_faults import worker_children
from tests.conftest import ROOT

EACH: Final = 100
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
DONE: Final = """
    INSERT INTO jobs.jobs (id, kind, queue, key, payload, state, result, next_at, enqueued_at, created_at, finished_at)
    SELECT gen_random_uuid(), 'stripe', 'default', %s || n, '{"event": {"type": "x", "created": 0}}', 'done',
           '{"ignored": true}', now(), now(), now() - interval '2 h', now() - interval '2 h'
    FROM generate_series(1, %s) n"""


def operate(service: Service, *words: str, status: int = 0) -> Any:
    """Run a command as the operator would, and read its JSON."""
    environment = {**os.environ, **service.stack.env, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "ops.cli", *words, "--json"]
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode == status, ran.stderr
    return json.loads(ran.stdout)


def failed_payments(service: Service, user: str, error: str, message: str, *, count: int = EACH) -> list[str]:
    """Write failed jobs of payments that were made and not credited; returns the ids of their purchases."""
    purchases = []
    with psycopg.connect(service.stack.env["DATABASE_URL"]) as connection:
        for _ in range(count):
            purchase_id, job_id = str(uuid4()), uuid4()
            intent = {"id": f"pi_{uuid4().hex}", "object": "payment_intent", "amount": 100, "currency": "eur"}
            event = {
                "id": f"evt_{uuid4().hex}",
                "type": "payment_intent.succeeded",
                "created": int(time.time()),
                "livemode": False,
                "data": {"object": {**intent, "metadata": {"purchase_id": purchase_id}}},
            }
            connection.execute(PURCHASE, [purchase_id, user])
            mark = mark_of(event, service.stack.env["STRIPE_WEBHOOK_SECRET"])
            payload = json.dumps({"event": event, "mark": mark})
            connection.execute(FAILED_JOB, {"id": job_id, "key": f"stripe:{event['id']}", "payload": payload})
            connection.execute(ATTEMPT, [uuid4(), job_id, error, message.replace("ID", purchase_id)])
            purchases.append(purchase_id)
    return purchases


def states(service: Service) -> dict[str, int]:
    return dict(service.sql("SELECT state, count(*) FROM jobs.jobs WHERE kind = 'stripe' GROUP BY state"))


def test_three_causes_among_ten_thousand_jobs_are_seen_on_one_screen_and_put_right_in_three_commands(
    service: Service, user: str
) -> None:
    service.sql(DONE, f"done:{user}:", 10_000 - 3 * EACH)
    failed_payments(service, user, "RetryableError", "Stripe: Service unavailable (status 503)")
    failed_payments(service, user, "Parked", "Stripe's payment does not match purchase ID: amount 100 instead of 475")
    lost = failed_payments(service, user, "Parked", "Stripe knows a payment for purchase ID, which is not here")

    causes = operate(service, "jobs", "stats")["causes"]
    assert [cause["count"] for cause in causes] == [EACH, EACH, EACH]
    assert len({(cause["error"], cause["message"]) for cause in causes}) == 3

    # The causes are repaired outside (Stripe is back, prices are right, purchases are there); now three commands.
    first = operate(service, "jobs", "retry-all", "--error", "RetryableError", "--yes", "--wait", "--why", "It is back")
    second = operate(service, "jobs", "retry-all", "--text", "does not match", "--yes", "--wait", "--why", "Prices")
    third = operate(service, "jobs", "retry-all", "--text", "which is not here", "--yes", "--wait", "--why", "Restored")

    assert [(run["retried"], run["failing"], run["stopped"]) for run in (first, second, third)] == [
        (EACH, 0, False)
    ] * 3
    eventually(service.drained)
    assert service.balance(user) == 3 * EACH * 100
    assert operate(service, "jobs", "stats")["causes"] == []
    assert service.sql("SELECT count(*) FROM credits.transactions WHERE counterparty = %s", f"stripe:{lost[0]}") == [
        (1,)
    ]


def test_a_run_of_retries_killed_midway_and_started_twice_changes_no_balance_twice(service: Service, user: str) -> None:
    failed_payments(service, user, "RetryableError", "Stripe: down")

    runs = [operate(service, "jobs", "retry-all", "--yes")["runId"] for _ in range(2)]
    eventually(lambda: service.sql("SELECT 1 FROM jobs.acts WHERE run_id = ANY (%s::uuid[]) LIMIT 1", runs))
    for child in worker_children(service):
        os.kill(child, signal.SIGKILL)
    assert states(service).get("failed", 0) > 0, "the run was over before the kill"

    eventually(service.drained, within_s=100)
    assert states(service).get("failed", 0) == 0
    assert service.balance(user) == EACH * 100
    retried = "SELECT count(*), count(DISTINCT job_id) FROM jobs.acts WHERE run_id = ANY (%s::uuid[])"
    assert service.sql(retried, runs) == [(EACH, EACH)]
    again = operate(service, "jobs", "retry-all", "--yes")
    assert again["matched"] == 0
    assert service.balance(user) == EACH * 100


def test_a_run_whose_cause_is_not_repaired_stops_itself(service: Service, user: str) -> None:
    purchases = failed_payments(service, user, "Parked", "Stripe knows purchase ID, which is not here")
    service.sql("DELETE FROM credits.purchases WHERE id = ANY (%s::uuid[])", purchases)

    run = operate(service, "jobs", "retry-all", "--text", "Stripe knows", "--yes", "--wait", status=1)

    assert run["stopped"]
    assert run["retried"] < EACH
    reason = ["--why", "Of a test"]
    ids = [one["jobId"] for one in operate(service, "jobs", "list", "--state", "failed", "--limit", "1000")]
    assert len(ids) == EACH
    operate(service, "jobs", "discard", *ids, *reason)
    assert operate(service, "jobs", "stats")["causes"] == []
