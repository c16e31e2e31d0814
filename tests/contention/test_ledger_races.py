"""Many threads at one barrier: what moves credits moves them once, and nothing is lost between them."""

from functools import partial
from uuid import UUID

import pytest

from domain.errors import InsufficientCredits
from domain.operations import purchases
from domain.rules.idempotency import ClientKey, fingerprint
from domain.rules.ledger import Appended
from domain.rules.purchases import PaymentFact, PaymentOutcome
from domain.store import Database, balances, ledger
from domain.store import packages as package_rows
from domain.units import Credits, EuroCents, UserId
from tests.conftest import NOW, at_once, give, use_of

ANNA = UserId("anna")


def spend(database: Database, user_id: UserId, amount: int, key: str | None = None) -> Appended:
    client_key = ClientKey(route="use", value=key, request_hash=fingerprint(amount=amount)) if key else None
    with database.single() as store:
        return ledger.append(store, use_of(user_id, amount, key=client_key), now=NOW)


def balance(database: Database, user_id: UserId) -> int:
    with database.single() as store:
        return balances.balance_of(store, user_id).balance


def test_thirty_two_repeats_of_one_key_charge_once(database: Database) -> None:
    give(database, "anna", 1_000)

    answers = at_once(32, lambda _: spend(database, ANNA, 10, "k"))

    assert {answer.transaction.id for answer in answers if isinstance(answer, Appended)} == {
        next(answer.transaction.id for answer in answers if isinstance(answer, Appended))
    }
    assert [isinstance(answer, Appended) and answer.replayed for answer in answers].count(False) == 1
    assert balance(database, ANNA) == 990


def test_thirty_two_spenders_cannot_spend_more_than_there_is(database: Database) -> None:
    give(database, "anna", 100)

    answers = at_once(32, lambda _: spend(database, ANNA, 10))

    assert sum(isinstance(answer, Appended) for answer in answers) == 10
    assert sum(isinstance(answer, InsufficientCredits) for answer in answers) == 22
    assert balance(database, ANNA) == 0


def test_twenty_first_contacts_of_one_user_all_read_zero(database: Database) -> None:
    assert at_once(20, lambda _: balance(database, UserId("new"))) == [0] * 20


def test_a_first_credit_and_first_reads_at_once_lose_nothing(database: Database) -> None:
    at_once(16, lambda n: give(database, "new", 5) if n % 2 else balance(database, UserId("new")))

    assert balance(database, UserId("new")) == 40


def test_a_hot_user_under_sixty_four_threads_meets_no_deadlock(database: Database) -> None:
    give(database, "anna", 10_000)

    def act(number: int) -> int:
        for _ in range(5):
            if number % 2:
                spend(database, ANNA, 1)
            else:
                give(database, "anna", 1)
        return 5

    assert at_once(32, act) == [5] * 32
    assert balance(database, ANNA) == 10_000


@pytest.mark.parametrize("deliveries", [2, 5])
def test_one_payment_told_many_times_at_once_is_credited_once(database: Database, deliveries: int) -> None:
    with database.begin() as store:
        package = package_rows.add(
            store,
            name="Small",
            credit_count=Credits(100),
            price=EuroCents(100),
            description="",
            sort_order=1,
            now=NOW,
        )
    assert package is not None

    def settle(purchase_id: UUID, outcome: PaymentOutcome) -> object:
        payment = PaymentFact(
            purchase_id=purchase_id,
            outcome=outcome,
            payment_intent_id=f"pi_{purchase_id}",
            amount=100,
            currency="eur",
            livemode=False,
        )
        with database.begin() as store:
            return purchases.settle_payment(store, payment=payment, livemode=False, now=NOW)

    def tell(purchase_id: UUID, told: list[PaymentOutcome], number: int) -> object:
        return settle(purchase_id, told[number])

    for round_number in range(100):
        with database.begin() as store:
            purchase_id = purchases.start_purchase(
                store, user_id=ANNA, package_id=package.id, redirects=None, key=None, request_id=None, now=NOW
            ).purchase_id
        told = [PaymentOutcome.SUCCEEDED] * deliveries + [PaymentOutcome.FAILED]
        answers = at_once(len(told), partial(tell, purchase_id, told))
        assert not [answer for answer in answers if isinstance(answer, Exception)]
        assert balance(database, ANNA) == 100 * (round_number + 1)
