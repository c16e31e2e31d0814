"""Refunds and disputes, purely: whatever the order and number of facts, one end state."""

import random
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Parked
from domain.rules.purchases import PaymentOutcome, Purchase, PurchaseStatus, next_status
from domain.rules.stripe_refunds import (
    PAID,
    Takeback,
    TakebackFact,
    TakebackKind,
    TakebackState,
    check_takeback,
    level,
    merged,
)
from domain.units import Credits, EuroCents, UserId
from gateways.stripe.facts import EVENT_TYPES, state_of

PURCHASE = Purchase(
    id=UUID(int=1),
    user_id=UserId("anna"),
    package_id=UUID(int=2),
    package_name="Medium",
    credits=Credits(500),
    price_euro_cents=EuroCents(450),
    status=PurchaseStatus.PENDING,
    redirects=None,
    stripe_customer_id="cus_1",
    stripe_payment_intent_id="pi_1",
    stripe_checkout_session_id=None,
    client_secret=None,
    checkout_url=None,
    metadata=None,
    created_at=datetime(2026, 11, 21, tzinfo=UTC),
    completed_at=None,
    refunded_euro_cents=EuroCents(0),
    taken_back_credits=Credits(0),
    takeback_movements=0,
)


def takeback(stripe_id: str, amount: int, state: str, payment: str = "pi_1") -> Takeback:
    kind = TakebackKind.DISPUTE if stripe_id.startswith("du") else TakebackKind.REFUND
    return Takeback(
        stripe_id=stripe_id,
        kind=kind,
        purchase_id=PURCHASE.id,
        payment_intent_id=payment,
        amount=EuroCents(amount),
        state=TakebackState(state),
    )


@dataclass
class Books:
    """What facts make of a purchase, without a database."""

    purchase: Purchase = PURCHASE
    known: dict[str, Takeback] = field(default_factory=dict)
    sold: int = 0

    def tell(self, fact: PaymentOutcome | Takeback) -> None:
        if isinstance(fact, Takeback):
            self.known[fact.stripe_id] = merged(self.known.get(fact.stripe_id), fact)
        else:
            status = next_status(self.purchase.status, fact)
            if status in PAID and self.purchase.status not in PAID:
                self.sold += self.purchase.credits
            self.purchase = replace(self.purchase, status=status)
        if self.purchase.status in PAID:
            self._level()

    def _level(self) -> None:
        wanted = level(self.purchase, self.known.values())
        self.sold += wanted.movement.amount if wanted.movement else 0
        self.purchase = replace(
            self.purchase,
            status=wanted.status,
            refunded_euro_cents=wanted.refunded,
            taken_back_credits=wanted.taken_back,
            takeback_movements=self.purchase.takeback_movements + (wanted.movement is not None),
        )

    def end(self) -> tuple[object, ...]:
        """How the facts end; the number of movements on the way may differ."""
        return replace(self.purchase, takeback_movements=0), self.sold, sorted(self.known.items())


PAYMENTS = st.sampled_from(list(PaymentOutcome))
TAKEBACKS = st.builds(
    takeback,
    st.sampled_from(["re_1", "re_2", "du_1", "du_2"]),
    st.integers(1, 450),
    st.sampled_from(list(TakebackState)),
    st.sampled_from(["pi_1", "pi_2"]),
).map(
    lambda takeback: replace(
        takeback, amount=EuroCents(77 if takeback.stripe_id == "re_1" else 200), payment_intent_id="pi_1"
    )
)


@given(st.lists(PAYMENTS | TAKEBACKS, max_size=10), st.randoms(use_true_random=False))
def test_facts_in_any_order_and_number_lead_to_one_end(
    facts: list[PaymentOutcome | Takeback], chance: random.Random
) -> None:
    disordered = facts * 2
    chance.shuffle(disordered)
    straight, shuffled = Books(), Books()

    for fact in facts:
        straight.tell(fact)
    for fact in disordered:
        shuffled.tell(fact)

    assert shuffled.end() == straight.end()


@given(st.lists(TAKEBACKS, max_size=8))
def test_credits_left_are_those_of_the_money_left(facts: list[Takeback]) -> None:
    books = Books()

    books.tell(PaymentOutcome.SUCCEEDED)
    for fact in facts:
        books.tell(fact)

    gone = books.purchase.refunded_euro_cents
    assert 0 <= gone <= 450
    assert books.sold == 500 - 500 * gone // 450
    assert (books.purchase.status is PurchaseStatus.REFUNDED) == (gone == 450)


@pytest.mark.parametrize(
    ("facts", "gone", "taken"),
    [
        ([("re_1", 1, "taken")], 1, 1),
        ([("re_1", 1, "taken"), ("re_2", 1, "taken")], 2, 2),
        ([("re_1", 100, "taken")], 100, 111),
        ([("re_1", 100, "taken"), ("re_2", 100, "taken")], 200, 222),
        ([("re_1", 100, "taken"), ("re_1", 100, "returned")], 0, 0),
        ([("re_1", 100, "returned"), ("re_1", 100, "taken")], 0, 0),
        ([("re_1", 450, "taken"), ("du_1", 450, "taken")], 450, 500),
        ([("du_1", 450, "watched")], 0, 0),
        ([("du_1", 450, "taken"), ("du_1", 450, "returned"), ("re_1", 45, "taken")], 45, 50),
    ],
    ids=str,
)
def test_what_is_taken_back_is_rounded_down_over_the_sum(
    facts: list[tuple[str, int, str]], gone: int, taken: int
) -> None:
    books = Books()

    books.tell(PaymentOutcome.SUCCEEDED)
    for fact in facts:
        books.tell(takeback(*fact))

    assert (books.purchase.refunded_euro_cents, books.purchase.taken_back_credits, books.sold) == (
        gone,
        taken,
        500 - taken,
    )


def test_a_refund_of_another_payment_takes_nothing() -> None:
    completed = replace(PURCHASE, status=PurchaseStatus.COMPLETED)

    assert level(completed, [takeback("re_1", 450, "taken", "pi_2")]).movement is None


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"currency": "usd"}, "currency usd instead of eur"),
        ({"livemode": True}, "livemode True instead of False"),
        ({"takeback": takeback("re_1", 1, "taken", "pi_2")}, "payment intent pi_2 instead of pi_1"),
    ],
    ids=str,
)
def test_a_fact_that_cannot_be_ours_is_parked_and_says_why(changed: dict[str, object], named: str) -> None:
    known = takeback("re_1", 1, "taken")
    facts = {"takeback": known, "currency": "eur", "livemode": False, **changed}

    with pytest.raises(Parked, match=named):
        check_takeback(TakebackFact(**facts), known, livemode=False)  # type: ignore[arg-type]


@pytest.mark.parametrize("status", ["prevented", "a_word_of_the_future"])
def test_a_status_that_does_not_say_who_has_the_money_is_parked(status: str) -> None:
    with pytest.raises(Parked, match="who has the money"):
        state_of({"object": "dispute", "id": "du_1", "status": status})


def test_the_types_of_events_fit_into_one_list_of_stripes() -> None:
    assert len(set(EVENT_TYPES)) == len(EVENT_TYPES) == 19
