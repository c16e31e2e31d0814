"""An operator at night: three causes among ten thousand jobs, repaired and retried; and what dies meanwhile."""

import signal
from typing import Final

from tests.support.faults import signal_workers, workers_stopped
from tests.support.operating import failed_payments, operate
from tests.support.service import Service, eventually

EACH: Final = 100
MANY: Final = 400
"""Two runs retry 40 jobs a second: that many leave ten seconds for killing them midway."""
DONE: Final = """
    INSERT INTO jobs.jobs (id, kind, queue, key, payload, state, result, next_at, enqueued_at, created_at, finished_at)
    SELECT gen_random_uuid(), 'stripe', 'default', %s || n, '{"event": {"type": "x", "created": 0}}', 'done',
           '{"ignored": true}', now(), now(), now() - interval '2 h', now() - interval '2 h'
    FROM generate_series(1, %s) n"""


def states(service: Service) -> dict[str, int]:
    return dict(service.sql("SELECT state, count(*) FROM jobs.jobs WHERE kind = 'stripe' GROUP BY state"))


def test_three_causes_among_ten_thousand_jobs_are_seen_on_one_screen_and_put_right_in_three_commands(
    service: Service, user: str
) -> None:
    service.sql(DONE, f"done:{user}:", 10_000 - 3 * EACH)
    failed_payments(service, user, "RetryableError", "Stripe: Service unavailable (status 503)", count=EACH)
    failed_payments(
        service, user, "Parked", "Stripe's payment does not match purchase ID: amount 100 instead of 475", count=EACH
    )
    lost = failed_payments(
        service, user, "Parked", "Stripe knows a payment for purchase ID, which is not here", count=EACH
    )

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
    failed_payments(service, user, "RetryableError", "Stripe: down", count=MANY)

    with workers_stopped(service):  # else the first run may be over before the second is recorded
        runs = [operate(service, "jobs", "retry-all", "--yes")["runId"] for _ in range(2)]
    eventually(lambda: service.sql("SELECT 1 FROM jobs.acts WHERE run_id = ANY (%s::uuid[]) LIMIT 1", runs))
    signal_workers(service, signal.SIGKILL)
    assert states(service).get("failed", 0) > 0, "the run was over before the kill"

    eventually(service.drained)
    assert states(service).get("failed", 0) == 0
    assert service.balance(user) == MANY * 100
    retried = "SELECT count(*), count(DISTINCT job_id) FROM jobs.acts WHERE run_id = ANY (%s::uuid[])"
    assert service.sql(retried, runs) == [(MANY, MANY)]
    again = operate(service, "jobs", "retry-all", "--yes")
    assert again["matched"] == 0
    assert service.balance(user) == MANY * 100


def test_a_run_whose_cause_is_not_repaired_stops_itself(service: Service, user: str) -> None:
    message = "Stripe knows purchase ID, which is not here"
    failed_payments(service, user, "Parked", message, count=EACH, are_here=False)

    run = operate(service, "jobs", "retry-all", "--text", "Stripe knows", "--yes", "--wait", status=1)

    assert run["stopped"]
    assert run["retried"] < EACH
    reason = ["--why", "Of a test"]
    ids = [job["jobId"] for job in operate(service, "jobs", "list", "--state", "failed", "--limit", "1000")]
    assert len(ids) == EACH
    operate(service, "jobs", "discard", *ids, *reason)
    assert operate(service, "jobs", "stats")["causes"] == []
