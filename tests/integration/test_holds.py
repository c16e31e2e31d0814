"""Holds on real PostgreSQL."""

from datetime import timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from domain.errors import HoldEnded, HoldExceeded, HoldExpired, InsufficientCredits, KeyReused, NotFound
from domain.operations import holds
from domain.rules.idempotency import ClientKey
from domain.rules.job_kinds import EXPIRE_HOLDS
from domain.rules.ledger import Appended, Movement, TransactionType
from domain.store import Database, ledger
from tests.support.credits import balance, give
from tests.support.holds import commit, hold
from tests.support.jobs import work_on
from tests.support.keys import client_key
from tests.support.times import NOW, now
from tests.support.users import ANNA


def release(database: Database, hold_id: UUID, *, with_key: ClientKey | None = None) -> Appended:
    with database.begin() as store:
        return holds.release(store, hold_id=hold_id, key=with_key, now=now())


def test_held_credits_are_neither_there_nor_spent(database: Database) -> None:
    give(database, "anna", 100)

    hold(database, 30)

    assert balance(database) == (70, 100, 0)


def test_more_than_there_is_cannot_be_held(database: Database) -> None:
    give(database, "anna", 29)

    with pytest.raises(InsufficientCredits):
        hold(database, 30)


def test_committing_spends_what_was_held(database: Database) -> None:
    give(database, "anna", 100)

    spent = commit(database, hold(database, 30))

    assert (spent.transaction.type, spent.transaction.amount) == (TransactionType.USAGE, -30)
    assert balance(database) == (70, 100, 30)


def test_the_rest_of_a_partial_commit_returns(database: Database) -> None:
    give(database, "anna", 100)

    commit(database, hold(database, 30), 12)

    assert balance(database) == (88, 100, 12)
    with database.single() as store:
        history = ledger.history(store, ANNA, limit=3)
    assert [(transaction.type.value, transaction.amount) for transaction in history] == [
        ("usage", -12),
        ("release", 30),
        ("hold", -30),
    ]


def test_more_than_was_held_cannot_be_committed(database: Database) -> None:
    give(database, "anna", 100)
    hold_id = hold(database, 30)

    with pytest.raises(HoldExceeded) as refusal:
        commit(database, hold_id, 31)

    assert refusal.value.details == {"amount": 31, "reserved": 30}
    assert balance(database)[0] == 70


def test_releasing_returns_everything(database: Database) -> None:
    give(database, "anna", 100)

    released = release(database, hold(database, 30))

    assert released.balance.balance == 100
    assert balance(database) == (100, 100, 0)


def test_a_hold_has_one_end(database: Database) -> None:
    give(database, "anna", 100)
    committed, released = hold(database, 30), hold(database, 30)
    commit(database, committed)
    release(database, released)

    for hold_id in (committed, released):
        with pytest.raises(HoldEnded):
            commit(database, hold_id)
        with pytest.raises(HoldEnded):
            release(database, hold_id)
    assert balance(database) == (70, 100, 30)


def test_an_unknown_hold_is_not_found(database: Database) -> None:
    with pytest.raises(NotFound):
        commit(database, uuid4())
    with pytest.raises(NotFound):
        release(database, uuid4())


def test_repeated_keys_bring_the_first_answers(database: Database) -> None:
    give(database, "anna", 100)
    held = client_key("k", route="internal/reserve")
    first = hold(database, 30, key=held)
    spent = commit(database, first, key=client_key("k", route="internal/commit"))
    other = hold(database, 10)
    released = release(database, other, with_key=client_key("k", route="internal/refund-reservation"))

    assert hold(database, 30, key=held) == first
    again = commit(database, first, key=client_key("k", route="internal/commit"))
    assert (again.replayed, again.transaction) == (True, spent.transaction)
    returned = release(database, other, with_key=client_key("k", route="internal/refund-reservation"))
    assert (returned.replayed, returned.transaction) == (True, released.transaction)
    assert balance(database) == (70, 100, 30)


def test_a_key_with_another_request_is_refused(database: Database) -> None:
    give(database, "anna", 100)
    first, second = hold(database, 30), hold(database, 30)
    commit(database, first, key=client_key("k", str(first), route="internal/commit"))

    with pytest.raises(KeyReused):
        commit(database, second, key=client_key("k", str(second), route="internal/commit"))

    assert balance(database) == (40, 100, 30)


def test_a_hold_past_its_end_is_refused_and_goes_back_by_the_clocks_job(database: Database) -> None:
    give(database, "anna", 100)
    old = hold(database, 30, at=now() - timedelta(minutes=5), life=timedelta(minutes=4))
    hold(database, 10)

    with pytest.raises(HoldExpired):
        commit(database, old)
    job = work_on(database, EXPIRE_HOLDS)

    assert job.result == {"expired": 1}
    assert balance(database) == (90, 100, 0)
    with pytest.raises(HoldExpired):
        release(database, old)


def test_a_hold_whose_payment_was_taken_back_cannot_be_committed(database: Database) -> None:
    give(database, "anna", 100)
    hold_id = hold(database, 60)
    clawback = Movement(
        user_id=ANNA,
        type=TransactionType.CLAWBACK,
        amount=-100,
        app_id="stripe",
        counterparty="stripe:dispute",
        description="Payment disputed",
        movement_key="clawback:1",
    )
    with database.begin() as store:
        ledger.append(store, clawback, now=NOW)

    with pytest.raises(InsufficientCredits):
        commit(database, hold_id)

    assert balance(database)[0] == -60
    release(database, hold_id)
    assert balance(database)[0] == 0


def test_a_commit_that_dies_between_its_steps_leaves_the_hold_open(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(database, "anna", 100)
    hold_id = hold(database, 30)

    def die(*_: object, **__: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr("domain.store.holds.end", die)
        with pytest.raises(SystemExit):
            commit(database, hold_id)

    assert balance(database) == (70, 100, 0)
    commit(database, hold_id)
    assert balance(database) == (70, 100, 30)


def test_the_database_lets_a_hold_end_once(database: Database, database_url: str) -> None:
    give(database, "anna", 100)
    commit(database, hold(database, 30))

    for statement in (
        "UPDATE credits.reservations SET status = 'open', committed_amount = NULL, ended_at = NULL",
        "UPDATE credits.reservations SET status = 'released', committed_amount = NULL",
        "UPDATE credits.reservations SET committed_amount = 1",
        "DELETE FROM credits.reservations",
    ):
        with (
            psycopg.connect(database_url, autocommit=True) as connection,
            pytest.raises(psycopg.errors.IntegrityError),
        ):
            connection.execute(statement)
