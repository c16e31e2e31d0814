"""Refunds and disputes on PostgreSQL: what any order, any number and any race of facts leaves in the ledger."""

import random
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import exc, text

from domain.errors import KeyReused, NotFound, NotRefundable, Parked
from domain.operations import purchases
from domain.operations import stripe_refunds as takebacks
from domain.rules.jobs import JobState
from domain.rules.purchases import PaymentFact, PaymentOutcome, Purchase, PurchaseStatus
from domain.rules.stripe_refunds import Takeback, TakebackFact, TakebackKind, TakebackState
from domain.store import Database, invariants, ledger
from domain.units import EuroCents
from tests.conftest import NOW, at_once, use_of
from tests.integration.conftest import ANNA, House

Fact = PaymentFact | TakebackFact


def payment(purchase_id: UUID, outcome: PaymentOutcome = PaymentOutcome.SUCCEEDED) -> PaymentFact:
    return PaymentFact(
        purchase_id=purchase_id,
        outcome=outcome,
        payment_intent_id="pi_1",
        amount=450,
        currency="eur",
        livemode=False,
    )


def told(purchase_id: UUID, stripe_id: str, amount: int, state: str = "taken", **changed: Any) -> TakebackFact:
    takeback = Takeback(
        stripe_id=stripe_id,
        kind=TakebackKind.DISPUTE if stripe_id.startswith("du") else TakebackKind.REFUND,
        purchase_id=purchase_id,
        payment_intent_id="pi_1",
        amount=EuroCents(amount),
        state=TakebackState(state),
    )
    return TakebackFact(**{"takeback": takeback, "currency": "eur", "livemode": False, **changed})


def tell(database: Database, *facts: Fact) -> None:
    for fact in facts:
        with database.begin() as store:
            if isinstance(fact, PaymentFact):
                purchases.settle_payment(store, payment=fact, livemode=False, now=NOW)
            else:
                takebacks.note_takeback(store, fact=fact, livemode=False, now=NOW)


def end(house: House, purchase_id: UUID) -> tuple[PurchaseStatus, int, int]:
    purchase = house.purchase(purchase_id)
    return purchase.status, purchase.refunded_euro_cents, house.balance()


@pytest.fixture
def completed(house: House) -> Purchase:
    purchase_id = house.start()
    tell(house.database, payment(purchase_id))
    return house.purchase(purchase_id)


@pytest.mark.parametrize("seed", range(12))
def test_all_facts_of_a_purchase_in_any_order_and_number_lead_to_one_end(house: House, seed: int) -> None:
    purchase_id = house.start()
    facts: list[Fact] = [payment(purchase_id, outcome) for outcome in PaymentOutcome]
    facts += [told(purchase_id, "re_1", 100), told(purchase_id, "re_2", 77), told(purchase_id, "re_2", 77, "returned")]
    facts += [told(purchase_id, "du_1", 200), told(purchase_id, "du_1", 200, "returned")]
    disordered = facts * 3
    random.Random(seed).shuffle(disordered)  # noqa: S311

    tell(house.database, *disordered)

    assert end(house, purchase_id) == (PurchaseStatus.COMPLETED, 100, 500 - 111)


def test_one_refund_told_by_eight_events_at_once_is_taken_once(house: House, completed: Purchase) -> None:
    at_once(8, lambda _number: tell(house.database, told(completed.id, "re_1", 100)))

    assert end(house, completed.id) == (PurchaseStatus.COMPLETED, 100, 500 - 111)


def test_many_refunds_at_once_take_the_rounded_sum(house: House, completed: Purchase) -> None:
    at_once(9, lambda number: tell(house.database, told(completed.id, f"re_{number}", 50)))

    assert end(house, completed.id) == (PurchaseStatus.REFUNDED, 450, 0)


def test_spent_credits_are_taken_back_below_zero_and_the_next_top_up_heals_it(
    house: House, completed: Purchase
) -> None:
    with house.database.begin() as store:
        ledger.append(store, use_of(ANNA, 450, description="All"), now=NOW)

    tell(house.database, told(completed.id, "re_1", 450))
    assert house.balance() == -450
    other = house.start()
    tell(house.database, PaymentFact(**{**vars(payment(other)), "payment_intent_id": "pi_2"}))

    assert house.balance() == 50


def test_a_refund_told_before_the_payment_waits_for_it(house: House) -> None:
    purchase_id = house.start()

    tell(house.database, told(purchase_id, "re_1", 450))
    assert end(house, purchase_id) == (PurchaseStatus.PENDING, 0, 0)
    tell(house.database, payment(purchase_id))

    assert end(house, purchase_id) == (PurchaseStatus.REFUNDED, 450, 0)


def test_a_refunded_purchase_whose_refund_fails_is_completed_again(house: House, completed: Purchase) -> None:
    tell(house.database, told(completed.id, "re_1", 450))
    assert end(house, completed.id) == (PurchaseStatus.REFUNDED, 450, 0)

    tell(house.database, told(completed.id, "re_1", 450, "returned"))

    assert end(house, completed.id) == (PurchaseStatus.COMPLETED, 0, 500)
    assert house.purchase(completed.id).completed_at == completed.completed_at


def test_refund_and_dispute_together_take_no_more_than_was_paid(house: House, completed: Purchase) -> None:
    tell(house.database, told(completed.id, "re_1", 400), told(completed.id, "du_1", 450))

    assert end(house, completed.id) == (PurchaseStatus.REFUNDED, 450, 0)


def test_a_refund_of_an_unknown_purchase_or_of_real_money_is_parked(house: House, completed: Purchase) -> None:
    for fact in (told(UUID(int=9), "re_1", 1), told(completed.id, "re_1", 1, livemode=True)):
        with pytest.raises(Parked):
            tell(house.database, fact)

    assert house.balance() == 500


def test_the_database_itself_lets_no_refund_move_back(house: House, completed: Purchase) -> None:
    tell(house.database, told(completed.id, "re_1", 100, "returned"))

    with pytest.raises(exc.IntegrityError, match="cannot go from returned to taken"):
        house.sql("UPDATE credits.stripe_takebacks SET state = 'taken'")


def test_the_service_may_not_rewrite_whose_refund_it_is_or_delete_it(house: House, completed: Purchase) -> None:
    tell(house.database, told(completed.id, "re_1", 100))

    for statement in ("UPDATE credits.stripe_takebacks SET purchase_id = gen_random_uuid()", "DELETE FROM {}"):
        with pytest.raises(exc.ProgrammingError, match="permission denied"), house.database.begin() as store:
            store.run(text(statement.format("credits.stripe_takebacks")))


def test_the_audit_tells_when_credits_and_stripes_money_part(house: House, completed: Purchase) -> None:
    house.sql(
        "INSERT INTO credits.stripe_takebacks VALUES ('re_1', 'refund', :id, 'pi_1', 100, 'taken', now(), now())",
        id=completed.id,
    )

    with house.database.single() as store:
        (finding,) = invariants.audit(store)

    assert (finding.invariant, finding.examples) == ("money_is_sold_credits", (str(completed.id),))
    tell(house.database, told(completed.id, "re_1", 100))


# ---------------------------------------------------------------- asking for a refund


def ask(house: House, purchase_id: UUID, amount: int | None = None) -> Any:
    wanted = None if amount is None else EuroCents(amount)
    with house.database.begin() as store:
        return takebacks.request_refund(store, purchase_id=purchase_id, amount=wanted, reason="duplicate")


def test_a_refund_asked_twice_before_its_event_is_one_refund(house: House, completed: Purchase) -> None:
    first, second = ask(house, completed.id, 100), ask(house, completed.id, 100)

    assert (second.job.id, second.replayed) == (first.job.id, True)
    with pytest.raises(KeyReused):
        ask(house, completed.id, 99)
    tell(house.database, told(completed.id, "re_1", 100))
    third = ask(house, completed.id)
    assert (third.replayed, third.job.payload["amount"], third.job.state) == (False, 350, JobState.PENDING)


@pytest.mark.parametrize("amount", [451, 10_000])
def test_no_more_than_what_is_left_can_be_refunded(house: House, completed: Purchase, amount: int) -> None:
    with pytest.raises(NotRefundable):
        ask(house, completed.id, amount)
    tell(house.database, told(completed.id, "re_1", 450))
    with pytest.raises(NotRefundable):
        ask(house, completed.id)


def test_what_is_not_paid_is_not_refunded(house: House) -> None:
    with pytest.raises(NotRefundable):
        ask(house, house.start())
    with pytest.raises(NotFound):
        ask(house, UUID(int=9))
