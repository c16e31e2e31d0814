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
from tests.support.credits import use_of
from tests.support.in_process import InProcessService
from tests.support.purchases import payment_fact
from tests.support.threads import at_once
from tests.support.times import NOW
from tests.support.users import ANNA

Fact = PaymentFact | TakebackFact


def payment(
    purchase_id: UUID, outcome: PaymentOutcome = PaymentOutcome.SUCCEEDED, payment_intent_id: str = "pi_1"
) -> PaymentFact:
    return payment_fact(purchase_id, outcome, payment_intent_id=payment_intent_id, amount=450)


def takeback(purchase_id: UUID, stripe_id: str, amount: int, state: str = "taken", **changed: Any) -> TakebackFact:
    known = Takeback(
        stripe_id=stripe_id,
        kind=TakebackKind.DISPUTE if stripe_id.startswith("du") else TakebackKind.REFUND,
        purchase_id=purchase_id,
        payment_intent_id="pi_1",
        amount=EuroCents(amount),
        state=TakebackState(state),
    )
    return TakebackFact(**{"takeback": known, "currency": "eur", "livemode": False, **changed})


def note(database: Database, *facts: Fact) -> None:
    for fact in facts:
        with database.begin() as store:
            if isinstance(fact, PaymentFact):
                purchases.settle_payment(store, payment=fact, livemode=False, now=NOW)
            else:
                takebacks.note_takeback(store, fact=fact, livemode=False, now=NOW)


def end(in_process: InProcessService, purchase_id: UUID) -> tuple[PurchaseStatus, int, int]:
    purchase = in_process.purchase(purchase_id)
    return purchase.status, purchase.refunded_euro_cents, in_process.balance()


@pytest.fixture
def completed(in_process: InProcessService) -> Purchase:
    purchase_id = in_process.start()
    note(in_process.database, payment(purchase_id))
    return in_process.purchase(purchase_id)


@pytest.mark.parametrize("seed", range(12))
def test_all_facts_of_a_purchase_in_any_order_and_number_lead_to_one_end(
    in_process: InProcessService, seed: int
) -> None:
    purchase_id = in_process.start()
    facts: list[Fact] = [payment(purchase_id, outcome) for outcome in PaymentOutcome]
    facts += [
        takeback(purchase_id, "re_1", 100),
        takeback(purchase_id, "re_2", 77),
        takeback(purchase_id, "re_2", 77, "returned"),
    ]
    facts += [takeback(purchase_id, "du_1", 200), takeback(purchase_id, "du_1", 200, "returned")]
    disordered = facts * 3
    random.Random(seed).shuffle(disordered)  # noqa: S311

    note(in_process.database, *disordered)

    assert end(in_process, purchase_id) == (PurchaseStatus.COMPLETED, 100, 500 - 111)


def test_one_refund_told_by_eight_events_at_once_is_taken_once(
    in_process: InProcessService, completed: Purchase
) -> None:
    at_once(8, lambda _number: note(in_process.database, takeback(completed.id, "re_1", 100)))

    assert end(in_process, completed.id) == (PurchaseStatus.COMPLETED, 100, 500 - 111)


def test_many_refunds_at_once_take_the_rounded_sum(in_process: InProcessService, completed: Purchase) -> None:
    at_once(9, lambda number: note(in_process.database, takeback(completed.id, f"re_{number}", 50)))

    assert end(in_process, completed.id) == (PurchaseStatus.REFUNDED, 450, 0)


def test_spent_credits_are_taken_back_below_zero_and_the_next_top_up_heals_it(
    in_process: InProcessService, completed: Purchase
) -> None:
    with in_process.database.begin() as store:
        ledger.append(store, use_of(ANNA, 450, description="All"), now=NOW)

    note(in_process.database, takeback(completed.id, "re_1", 450))
    assert in_process.balance() == -450
    other = in_process.start()
    note(in_process.database, payment(other, payment_intent_id="pi_2"))

    assert in_process.balance() == 50


def test_a_refund_told_before_the_payment_waits_for_it(in_process: InProcessService) -> None:
    purchase_id = in_process.start()

    note(in_process.database, takeback(purchase_id, "re_1", 450))
    assert end(in_process, purchase_id) == (PurchaseStatus.PENDING, 0, 0)
    note(in_process.database, payment(purchase_id))

    assert end(in_process, purchase_id) == (PurchaseStatus.REFUNDED, 450, 0)


def test_a_refunded_purchase_whose_refund_fails_is_completed_again(
    in_process: InProcessService, completed: Purchase
) -> None:
    note(in_process.database, takeback(completed.id, "re_1", 450))
    assert end(in_process, completed.id) == (PurchaseStatus.REFUNDED, 450, 0)

    note(in_process.database, takeback(completed.id, "re_1", 450, "returned"))

    assert end(in_process, completed.id) == (PurchaseStatus.COMPLETED, 0, 500)
    assert in_process.purchase(completed.id).completed_at == completed.completed_at


def test_refund_and_dispute_together_take_no_more_than_was_paid(
    in_process: InProcessService, completed: Purchase
) -> None:
    note(in_process.database, takeback(completed.id, "re_1", 400), takeback(completed.id, "du_1", 450))

    assert end(in_process, completed.id) == (PurchaseStatus.REFUNDED, 450, 0)


def test_a_refund_of_an_unknown_purchase_or_of_real_money_is_parked(
    in_process: InProcessService, completed: Purchase
) -> None:
    for fact in (takeback(UUID(int=9), "re_1", 1), takeback(completed.id, "re_1", 1, livemode=True)):
        with pytest.raises(Parked):
            note(in_process.database, fact)

    assert in_process.balance() == 500


def test_the_database_itself_lets_no_refund_move_back(in_process: InProcessService, completed: Purchase) -> None:
    note(in_process.database, takeback(completed.id, "re_1", 100, "returned"))

    with pytest.raises(exc.IntegrityError, match="cannot go from returned to taken"):
        in_process.sql("UPDATE credits.stripe_takebacks SET state = 'taken'")


def test_the_service_may_not_rewrite_whose_refund_it_is_or_delete_it(
    in_process: InProcessService, completed: Purchase
) -> None:
    note(in_process.database, takeback(completed.id, "re_1", 100))

    for statement in ("UPDATE credits.stripe_takebacks SET purchase_id = gen_random_uuid()", "DELETE FROM {}"):
        with pytest.raises(exc.ProgrammingError, match="permission denied"), in_process.database.begin() as store:
            store.run(text(statement.format("credits.stripe_takebacks")))


def test_the_audit_reports_when_credits_and_stripes_money_differ(
    in_process: InProcessService, completed: Purchase
) -> None:
    in_process.sql(
        "INSERT INTO credits.stripe_takebacks VALUES ('re_1', 'refund', :id, 'pi_1', 100, 'taken', now(), now())",
        id=completed.id,
    )

    with in_process.database.single() as store:
        (finding,) = invariants.audit(store)

    assert (finding.invariant, finding.examples) == ("money_is_sold_credits", (str(completed.id),))
    note(in_process.database, takeback(completed.id, "re_1", 100))


# ---------------------------------------------------------------- asking for a refund


def ask(in_process: InProcessService, purchase_id: UUID, amount: int | None = None) -> Any:
    cents = None if amount is None else EuroCents(amount)
    with in_process.database.begin() as store:
        return takebacks.request_refund(store, purchase_id=purchase_id, amount=cents, reason="duplicate")


def test_a_refund_asked_twice_before_its_event_is_one_refund(in_process: InProcessService, completed: Purchase) -> None:
    first, second = ask(in_process, completed.id, 100), ask(in_process, completed.id, 100)

    assert (second.job.id, second.replayed) == (first.job.id, True)
    with pytest.raises(KeyReused):
        ask(in_process, completed.id, 99)
    note(in_process.database, takeback(completed.id, "re_1", 100))
    third = ask(in_process, completed.id)
    assert (third.replayed, third.job.payload["amount"], third.job.state) == (False, 350, JobState.PENDING)


@pytest.mark.parametrize("amount", [451, 10_000])
def test_no_more_than_what_is_left_can_be_refunded(
    in_process: InProcessService, completed: Purchase, amount: int
) -> None:
    with pytest.raises(NotRefundable):
        ask(in_process, completed.id, amount)
    note(in_process.database, takeback(completed.id, "re_1", 450))
    with pytest.raises(NotRefundable):
        ask(in_process, completed.id)


def test_what_is_not_paid_is_not_refunded(in_process: InProcessService) -> None:
    with pytest.raises(NotRefundable):
        ask(in_process, in_process.start())
    with pytest.raises(NotFound):
        ask(in_process, UUID(int=9))
