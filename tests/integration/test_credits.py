"""Spending and returning credits on real PostgreSQL."""

import psycopg
import pytest

from domain.errors import InsufficientCredits, KeyReused
from domain.rules.idempotency import ClientKey
from domain.rules.ledger import Appended
from domain.store import Database, ledger
from domain.units import UserId
from local.logins import OWNER
from tests.support.credits import give, use_key, use_of
from tests.support.times import NOW
from tests.support.users import ANNA


def spend(database: Database, amount: int, *, user_id: UserId = ANNA, with_key: ClientKey | None = None) -> Appended:
    with database.single() as store:
        return ledger.append(store, use_of(user_id, amount, metadata={"model": "small"}, key=with_key), now=NOW)


def test_spending_takes_credits_and_writes_a_transaction(database: Database) -> None:
    give(database, "anna", 100)

    spent = spend(database, 30)

    assert (spent.transaction.seq, spent.transaction.amount) == (2, -30)
    assert (spent.transaction.balance_before, spent.transaction.balance_after) == (100, 70)
    assert (spent.balance.balance, spent.balance.total_earned, spent.balance.total_spent) == (70, 100, 30)


def test_spending_more_than_there_is_is_refused_and_changes_nothing(database: Database) -> None:
    give(database, "anna", 29)

    with pytest.raises(InsufficientCredits) as refusal:
        spend(database, 30)

    assert refusal.value.details == {"required": 30, "available": 29}
    with database.single() as store:
        assert len(ledger.history(store, ANNA, limit=10)) == 1


def test_a_repeated_key_brings_the_first_answer_also_after_later_transactions(database: Database) -> None:
    give(database, "anna", 100)
    first = spend(database, 10, with_key=use_key("k", 10))
    spend(database, 50)

    repeated = spend(database, 10, with_key=use_key("k", 10))

    assert repeated.replayed
    assert repeated.transaction == first.transaction
    assert repeated.balance == first.balance


def test_a_key_with_another_request_is_refused(database: Database) -> None:
    give(database, "anna", 100)
    spend(database, 10, with_key=use_key("k", 10))

    with pytest.raises(KeyReused):
        spend(database, 11, with_key=use_key("k", 11))


def test_one_key_of_two_users_means_two_transactions(database: Database) -> None:
    give(database, "anna", 100)
    give(database, "ben", 100)

    first = spend(database, 10, with_key=use_key("k", 10))
    second = spend(database, 10, user_id=UserId("ben"), with_key=use_key("k", 10))

    assert not second.replayed
    assert second.transaction.id != first.transaction.id


def test_one_key_on_two_routes_means_two_transactions(database: Database) -> None:
    give(database, "anna", 100)

    spend(database, 10, with_key=use_key("k", 10, route="use"))
    second = spend(database, 10, with_key=use_key("k", 10, route="internal/use"))

    assert not second.replayed


def test_a_refused_key_may_succeed_after_topping_up(database: Database) -> None:
    with pytest.raises(InsufficientCredits):
        spend(database, 10, with_key=use_key("k", 10))
    give(database, "anna", 10)

    spent = spend(database, 10, with_key=use_key("k", 10))

    assert (spent.replayed, spent.balance.balance) == (False, 0)


def test_the_ledger_refuses_every_change_to_the_service_and_to_its_owner(database: Database, database_url: str) -> None:
    give(database, "anna", 100)
    forbidden = [
        "UPDATE credits.transactions SET amount = 1",
        "DELETE FROM credits.transactions",
        "TRUNCATE credits.transactions",
    ]

    for role in ("mana_credits_app", OWNER):
        for statement in forbidden:
            with psycopg.connect(database_url, autocommit=True) as connection:
                connection.execute(f"SET ROLE {role}")
                with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.IntegrityError)):
                    connection.execute(statement)


def test_the_service_can_move_credits_by_the_one_function_only(database: Database, database_url: str) -> None:
    give(database, "anna", 100)

    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SET ROLE mana_credits_app")
        for statement in (
            "UPDATE credits.balances SET balance = 1000",
            "INSERT INTO credits.balances (user_id, balance, created_at, updated_at) VALUES ('x', 5, now(), now())",
            "INSERT INTO credits.transactions (id) VALUES (gen_random_uuid())",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
