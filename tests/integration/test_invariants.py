"""Each invariant finds what breaks it: an audit that cannot fail proves nothing."""

import psycopg
import pytest

from domain.store import Database
from domain.store.invariants import INVARIANTS, check
from tests.support.credits import give

_BREAK = {
    "balance_is_sum": "UPDATE credits.balances SET balance = balance + 1",
    "chain_is_closed": "UPDATE credits.transactions SET seq = seq + 1 WHERE seq = 2",
    "nobody_below_zero": "UPDATE credits.balances SET balance = -1",
    "totals_match": "UPDATE credits.balances SET total_earned = total_earned + 1",
    "purchase_is_credited_once": "UPDATE credits.transactions SET type = 'purchase' WHERE seq = 1",
    "credited_purchase_names_its_payment": (
        "INSERT INTO credits.purchases (id, user_id, package_id, package_name, credits, price_euro_cents, status, "
        "created_at, completed_at) VALUES (gen_random_uuid(), 'anna', gen_random_uuid(), 'Small', 100, 100, "
        "'completed', now(), now())"
    ),
    "done_job_has_effect": (
        "INSERT INTO jobs.jobs (id, kind, queue, key, payload, state, result, next_at, enqueued_at, created_at, "
        "finished_at) VALUES (gen_random_uuid(), 'stripe', 'default', 'k', '{}', 'done', "
        """'{"transactionId": "01a1fd0e-ce2f-7520-b805-e91b2f449311"}', now(), now(), now(), now())"""
    ),
    "no_job_waits_long": (
        "INSERT INTO jobs.jobs (id, kind, queue, key, payload, next_at, enqueued_at, created_at) "
        "VALUES (gen_random_uuid(), 'prune', 'default', 'k', '{}', now() - interval '16 min', now(), now())"
    ),
}


@pytest.mark.parametrize("name", _BREAK)
def test_an_invariant_finds_what_breaks_it(database_url: str, name: str) -> None:
    database = Database(database_url, pool_size=1)
    give(database, "anna", 10)
    give(database, "anna", 5)
    invariant = next(invariant for invariant in INVARIANTS if invariant.name == name)
    with database.single() as store:
        assert check(store, invariant) is None

    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")  # triggers asleep: somebody forged the books
        connection.execute(_BREAK[name])

    with database.single() as store:
        finding = check(store, invariant)
    database.close()
    assert finding is not None
    assert (finding.invariant, finding.count) == (name, 1)
