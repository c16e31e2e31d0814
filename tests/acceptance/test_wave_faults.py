"""A wave of renewals in which everything is killed: every period is charged once, whoever cannot pay is paused.

The long form, with a line for each seed:
`MANA_FAULT_SEEDS=10 MANA_FAULT_USERS=20000 pytest tests/acceptance/test_wave_faults.py --log-cli-level=info`
"""

import logging
import os
import random
import signal
import time
from contextlib import suppress

import pytest

from tests.support.service import Service, eventually

SEEDS = int(os.environ.get("MANA_FAULT_SEEDS", "2"))
USERS = int(os.environ.get("MANA_FAULT_USERS", "1000"))
SHORT = USERS // 10
FAULTS = ("worker", "worker", "scheduler", "postgres")

# Anchors on any day of the year before last; whoever runs this at midnight meets no boundary: they are 12 hours away.
DUE = """
INSERT INTO credits.sync_subscriptions (user_id, active, anchor_at, next_charge_at)
SELECT %s || CASE WHEN n <= %s THEN '-short-' ELSE '-paying-' END || n, true, anchor_at, (
    SELECT max(ends_at) FROM (SELECT (anchor_at AT TIME ZONE 'UTC' + make_interval(months => k)) AT TIME ZONE 'UTC'
                              FROM generate_series(1, 60) k) AS period (ends_at) WHERE ends_at <= now())
FROM generate_series(1, %s) n, LATERAL (SELECT now() - interval '12 hours' - make_interval(days => 366 + n %% 366))
    AS subscribed (anchor_at)
"""
SEED = """
SELECT count(*) FROM credits.sync_subscriptions s, LATERAL credits.append(gen_random_uuid(), s.user_id, 'grant',
    CASE WHEN s.user_id LIKE '%%-short-%%' THEN 29 ELSE 60 END, 'test', 'test', 'To begin with', NULL, 'seed', NULL,
    NULL, now()) WHERE starts_with(s.user_id, %s)
"""
RENEWALS = """
SELECT count(*) FILTER (WHERE starts > 0), count(*) FILTER (WHERE state <> 'pending'),
    count(*) FILTER (WHERE starts > 1)
FROM jobs.jobs WHERE kind = 'renew' AND starts_with(user_id, %s)
"""
OUTCOMES = """
SELECT split_part(s.user_id, '-', 3), s.active, s.paused_at IS NOT NULL, s.period, b.balance, charged.times,
    charged.amount, s.next_charge_at IS NOT DISTINCT FROM CASE WHEN s.active THEN (
        SELECT min(ends_at) FROM (
            SELECT (s.anchor_at AT TIME ZONE 'UTC' + make_interval(months => k)) AT TIME ZONE 'UTC'
            FROM generate_series(1, 60) k) AS period (ends_at) WHERE ends_at > now()) END,
    count(*)
FROM credits.sync_subscriptions s JOIN credits.balances b USING (user_id), LATERAL (
    SELECT count(*), coalesce(sum(t.amount), 0) FROM credits.transactions t
    WHERE t.user_id = s.user_id AND t.counterparty = 'sync') AS charged (times, amount)
WHERE starts_with(s.user_id, %s) GROUP BY 1, 2, 3, 4, 5, 6, 7, 8 ORDER BY 1
"""
JOBS = """
SELECT state, result ->> 'outcome', count(*), count(DISTINCT user_id) FROM jobs.jobs
WHERE kind = 'renew' AND starts_with(user_id, %s) GROUP BY 1, 2 ORDER BY 2
"""

log = logging.getLogger(__name__)


def kill_below(service: Service, line: str, *, chosen_by: random.Random) -> None:
    """Kill -9 one of the programs that the supervisor of a Procfile's line keeps running."""
    supervisor = service.stack.processes[line]
    below = [pid for pid in supervisor.members() if pid != supervisor.pid]
    if below:  # else it is being started again at this moment
        with suppress(ProcessLookupError):
            os.kill(chosen_by.choice(below), signal.SIGKILL)


def renewals(service: Service, user: str) -> tuple[int, int, int]:
    """Count the renewals that were started, those that have ended, and those that were started more than once."""
    ((started, ended, again),) = service.sql(RENEWALS, user)
    return started, ended, again


def wait_until_started(service: Service, user: str, more_than: float) -> tuple[int, int]:
    """Wait, without a pause in which a small wave could pass by, until more than so many renewals were started."""
    until = time.monotonic() + 120
    while (counts := renewals(service, user))[0] <= more_than:
        assert time.monotonic() < until, f"{counts[0]} renewals were started, not more than {more_than}"
    return counts[:2]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_wave_in_which_everything_is_killed_charges_every_period_once(service: Service, user: str, seed: int) -> None:
    drawn = random.Random(seed)  # noqa: S311
    plan = sorted((drawn.uniform(0, USERS * 0.9), part) for part in FAULTS)
    struck = []
    service.sql(DUE, user, SHORT, USERS)
    service.sql(SEED, user)
    began = time.monotonic()

    kill_below(service, "scheduler", chosen_by=drawn)  # it ticks as soon as it is back
    for more_than, part in plan:
        started, ended = wait_until_started(service, user, more_than)
        struck.append((part, started, ended))
        if part == "postgres":
            service.stack.restart("postgres")
        else:
            kill_below(service, part, chosen_by=drawn)
    eventually(lambda: renewals(service, user)[1], lambda ended: ended >= USERS, within_s=240)
    eventually(service.drained)

    took_s, again = time.monotonic() - began, renewals(service, user)[2]
    log.info(
        "seed %s: %s in %.0f s, %s started again; killed at (started, ended): %s", seed, USERS, took_s, again, struck
    )
    assert struck[0][2] < USERS, "the wave was over before the first fault"
    assert service.sql(OUTCOMES, user) == [
        ("paying", True, False, 1, 30, 1, -30, True, USERS - SHORT),
        ("short", False, True, 1, 29, 0, 0, True, SHORT),
    ]
    assert service.sql(JOBS, user) == [
        ("done", "charged", USERS - SHORT, USERS - SHORT),
        ("done", "paused", SHORT, SHORT),
    ]
    audit = service.command("audit")
    assert audit.returncode == 0, audit.stdout
