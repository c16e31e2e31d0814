"""Many threads at one barrier: what moves credits moves them once, and nothing is lost between them."""

from functools import partial
from uuid import UUID

import pytest

from domain.errors import InsufficientCredits
from domain.rules.idempotency import ClientKey
from domain.rules.ledger import Appended
from domain.rules.purchases import PaymentOutcome
from domain.store import Database, ledger
from domain.units import UserId
from tests.support.credits import balance, give, use_key, use_of
from tests.support.purchases import offer, payment_fact, settle, start_purchase
from tests.support.threads import at_once
from tests.support.times import NOW
from tests.support.users import ANNA


def spend(database: Database, amount: int, key: ClientKey | None = None) -> Appended:
    with database.single() as store:
        return ledger.append(store, use_of(ANNA, amount, key=key), now=NOW)


def test_thirty_two_repeats_of_one_key_charge_once(database: Database) -> None:
    give(database, "anna", 1_000)

    answers = at_once(32, lambda _: spend(database, 10, use_key("k", 10)))

    assert {answer.transaction.id for answer in answers if isinstance(answer, Appended)} == {
        next(answer.transaction.id for answer in answers if isinstance(answer, Appended))
    }
    assert [isinstance(answer, Appended) and answer.replayed for answer in answers].count(False) == 1
    assert balance(database, ANNA)[0] == 990


def test_thirty_two_spenders_cannot_spend_more_than_there_is(database: Database) -> None:
    give(database, "anna", 100)

    answers = at_once(32, lambda _: spend(database, 10))

    assert sum(isinstance(answer, Appended) for answer in answers) == 10
    assert sum(isinstance(answer, InsufficientCredits) for answer in answers) == 22
    assert balance(database, ANNA)[0] == 0


def test_twenty_first_contacts_of_one_user_all_read_zero(database: Database) -> None:
    assert at_once(20, lambda _: balance(database, UserId("new"))[0]) == [0] * 20


def test_a_first_credit_and_first_reads_at_once_lose_nothing(database: Database) -> None:
    at_once(16, lambda n: give(database, "new", 5) if n % 2 else balance(database, UserId("new"))[0])

    assert balance(database, UserId("new"))[0] == 40


def test_a_hot_user_under_sixty_four_threads_meets_no_deadlock(database: Database) -> None:
    give(database, "anna", 10_000)

    def act(number: int) -> int:
        for _ in range(5):
            if number % 2:
                spend(database, 1)
            else:
                give(database, "anna", 1)
        return 5

    assert at_once(32, act) == [5] * 32
    assert balance(database, ANNA)[0] == 10_000


@pytest.mark.parametrize("deliveries", [2, 5])
def test_one_payment_told_many_times_at_once_is_credited_once(database: Database, deliveries: int) -> None:
    package_id = offer(database, name="Small", amount=100, price=100)

    def deliver(purchase_id: UUID, outcomes: list[PaymentOutcome], number: int) -> object:
        intent_id = f"pi_{purchase_id}"
        return settle(database, payment_fact(purchase_id, outcomes[number], payment_intent_id=intent_id, amount=100))

    for round_number in range(100):
        with database.begin() as store:
            purchase_id = start_purchase(store, package_id=package_id).purchase_id
        outcomes = [PaymentOutcome.SUCCEEDED] * deliveries + [PaymentOutcome.FAILED]
        answers = at_once(len(outcomes), partial(deliver, purchase_id, outcomes))
        assert not [answer for answer in answers if isinstance(answer, Exception)]
        assert balance(database, ANNA)[0] == 100 * (round_number + 1)
