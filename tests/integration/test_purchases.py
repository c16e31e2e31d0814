"""Purchases: what facts from Stripe make of them, in any order and any number."""

from itertools import permutations
from typing import Any, Final
from uuid import UUID

import pytest
from sqlalchemy import text

from domain.errors import KeyReused, NotFound, Parked
from domain.operations import purchases
from domain.rules.idempotency import ClientKey, fingerprint
from domain.rules.purchases import PaymentFact, PaymentOutcome, PurchaseStatus
from domain.store import Database, balances
from domain.store import packages as package_rows
from domain.store import purchases as purchase_rows
from tests.support.purchases import offer, payment_fact, settle
from tests.support.times import NOW
from tests.support.users import ANNA

PRICE: Final = 450


@pytest.fixture
def package_id(database: Database) -> UUID:
    return offer(database, name="Medium", price=PRICE)


def start(database: Database, package_id: UUID, key: ClientKey | None = None) -> purchases.PurchaseStarted:
    with database.begin() as store:
        return purchases.start_purchase(
            store, user_id=ANNA, package_id=package_id, redirects=None, key=key, request_id="r-1", now=NOW
        )


def payment(purchase_id: UUID, outcome: PaymentOutcome = PaymentOutcome.SUCCEEDED, **changed: Any) -> PaymentFact:
    return payment_fact(purchase_id, outcome, **{"amount": PRICE, **changed})


def state(database: Database, purchase_id: UUID) -> tuple[PurchaseStatus, int]:
    with database.single() as store:
        status = purchase_rows.get(store, purchase_id).status
        return status, balances.balance_of(store, ANNA).balance


def test_a_purchase_and_its_job_are_recorded_together(database: Database, package_id: UUID) -> None:
    started = start(database, package_id)

    with database.single() as store:
        purchase = purchase_rows.get(store, started.purchase_id, owner=ANNA)
        assert (purchase.credits, purchase.price_euro_cents, purchase.status) == (500, 450, PurchaseStatus.PENDING)
    assert started.recorded.job.payload == {"purchaseId": str(started.purchase_id)}


def test_a_repeated_key_finds_the_same_purchase(database: Database, package_id: UUID) -> None:
    key = ClientKey(route="purchase", value="k", request_hash=fingerprint(package=str(package_id)))
    first = start(database, package_id, key)

    second = start(database, package_id, key)

    assert (second.purchase_id, second.recorded.replayed) == (first.purchase_id, True)
    with pytest.raises(KeyReused):
        start(database, package_id, ClientKey(route="purchase", value="k", request_hash=b"other"))
    with database.single() as store:
        assert store.run(text("SELECT count(*) FROM credits.purchases")).scalar() == 1


def test_an_unknown_or_inactive_package_is_not_found(database: Database, package_id: UUID) -> None:
    with database.begin() as store:
        package_rows.change(store, "Medium", {"active": False}, now=NOW)

    for wanted in (package_id, UUID(int=1)):
        with pytest.raises(NotFound):
            start(database, wanted)


@pytest.mark.parametrize("order", list(permutations(PaymentOutcome)))
def test_facts_in_any_order_and_number_lead_to_one_end(
    database: Database, package_id: UUID, order: tuple[PaymentOutcome, ...]
) -> None:
    purchase_id = start(database, package_id).purchase_id

    for outcome in order * 3:
        settle(database, payment(purchase_id, outcome))

    assert state(database, purchase_id) == (PurchaseStatus.COMPLETED, 500)


def test_a_purchase_paid_after_it_failed_or_was_cancelled_completes(database: Database, package_id: UUID) -> None:
    for outcome, status in [
        (PaymentOutcome.FAILED, PurchaseStatus.FAILED),
        (PaymentOutcome.CANCELLED, PurchaseStatus.CANCELLED),
    ]:
        purchase_id = start(database, package_id).purchase_id
        settle(database, payment(purchase_id, outcome, payment_intent_id=str(outcome)))
        assert state(database, purchase_id)[0] is status

        settle(database, payment(purchase_id, PaymentOutcome.SUCCEEDED, payment_intent_id=str(outcome)))

        assert state(database, purchase_id)[0] is PurchaseStatus.COMPLETED


@pytest.mark.parametrize("changed", [{"amount": 449}, {"currency": "usd"}, {"livemode": True}])
def test_a_payment_that_does_not_match_is_parked_and_credits_nothing(
    database: Database, package_id: UUID, changed: dict[str, Any]
) -> None:
    purchase_id = start(database, package_id).purchase_id

    with pytest.raises(Parked):
        settle(database, payment(purchase_id, PaymentOutcome.SUCCEEDED, **changed))

    assert state(database, purchase_id) == (PurchaseStatus.PENDING, 0)


def test_a_second_payment_intent_for_one_purchase_is_parked(database: Database, package_id: UUID) -> None:
    purchase_id = start(database, package_id).purchase_id
    settle(database, payment(purchase_id))

    with pytest.raises(Parked):
        settle(database, payment(purchase_id, PaymentOutcome.SUCCEEDED, payment_intent_id="pi_2"))


def test_a_payment_of_an_unknown_purchase_is_parked(database: Database) -> None:
    with pytest.raises(Parked):
        settle(database, payment(UUID(int=1)))
