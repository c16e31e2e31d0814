"""Money that Stripe gave back, or that a bank took back, and the credits that go with it.

What is known of a refund or dispute only moves forward, so that events may come in any order and number: merging facts
is commutative, and merging the same fact twice changes nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from domain.errors import Parked
from domain.rules.ledger import Movement, TransactionType
from domain.rules.purchases import CURRENCY, Purchase, PurchaseStatus, mismatches
from domain.units import Credits, EuroCents

STRIPE_APP = "stripe"
"""The `app_id` of transactions that Stripe's money caused."""

PAID: Final = frozenset({PurchaseStatus.COMPLETED, PurchaseStatus.REFUNDED})


class TakebackKind(StrEnum):
    """What may take a payment back."""

    REFUND = "refund"
    DISPUTE = "dispute"
    WARNING = "warning"


class TakebackState(StrEnum):
    """Where a refund or dispute is; it only moves forward, in this order.

    `watched` takes nothing yet (an inquiry, an early fraud warning), `taken` has taken its amount, `returned` has given
    it back (a refund that failed, a dispute that was won).
    """

    WATCHED = "watched"
    TAKEN = "taken"
    RETURNED = "returned"

    @property
    def rank(self) -> int:
        """The place in the order."""
        return list(TakebackState).index(self)


@dataclass(frozen=True, kw_only=True)
class Takeback:
    """A refund, dispute or warning of one payment, as far as Stripe reported it.

    Attributes:
        stripe_id: Stripe's id of it: `re_…`, `du_…`, `issfr_…`.
        amount: What it takes in full.
    """

    stripe_id: str
    kind: TakebackKind
    purchase_id: UUID
    payment_intent_id: str
    amount: EuroCents
    state: TakebackState


@dataclass(frozen=True, kw_only=True)
class TakebackFact:
    """A refund, dispute or warning as some event or list of Stripe's reported it.

    Attributes:
        livemode: Whether it was real money.
    """

    takeback: Takeback
    currency: str
    livemode: bool


def check_takeback(fact: TakebackFact, known: Takeback | None, *, livemode: bool) -> None:
    """Make sure that a fact belongs to our payment.

    Raises:
        Parked: mode or currency differ, or the id was reported for another payment: a person must look.
    """
    takeback = fact.takeback
    expected: dict[str, tuple[object, object]] = {
        "livemode": (livemode, fact.livemode),
        "currency": (CURRENCY, fact.currency),
    }
    if known is not None:
        expected["purchase"] = (str(known.purchase_id), str(takeback.purchase_id))
        expected["payment intent"] = (known.payment_intent_id, takeback.payment_intent_id)
    wrong = mismatches(expected)
    if wrong:
        raise Parked(f"Stripe's {takeback.kind.value} {takeback.stripe_id} does not match: {wrong}")


def merged(known: Takeback | None, reported: Takeback) -> Takeback:
    """Join what is known of a refund or dispute with what is reported of it: the later state, the larger amount."""
    if known is None:
        return reported
    state = max(known.state, reported.state, key=lambda state: state.rank)
    return Takeback(
        stripe_id=known.stripe_id,
        kind=known.kind,
        purchase_id=known.purchase_id,
        payment_intent_id=known.payment_intent_id,
        amount=max(known.amount, reported.amount),
        state=state,
    )


@dataclass(frozen=True, kw_only=True)
class Level:
    """How much of a purchase has gone back.

    Attributes:
        refunded: Money that went back to the buyer, 0 to the price.
        taken_back: Credits that are taken back for it.
        movement: What the ledger lacks; `None` if it lacks nothing.
    """

    refunded: EuroCents
    taken_back: Credits
    status: PurchaseStatus
    movement: Movement | None


def level(purchase: Purchase, takebacks: Iterable[Takeback]) -> Level:
    """Tell what all refunds and disputes of a paid purchase together take, and what is left to move.

    Credits go back in proportion, rounded down over the sum: `floor(credits · refunded / paid)`. Refunds and disputes
    together take at most what was paid. Those of another payment than the one that was credited take nothing.
    """
    credited_intent = purchase.stripe_payment_intent_id
    taken = sum(
        takeback.amount
        for takeback in takebacks
        if takeback.state is TakebackState.TAKEN and credited_intent in {None, takeback.payment_intent_id}
    )
    refunded = EuroCents(min(taken, purchase.price_euro_cents))
    target = Credits(purchase.credits * refunded // purchase.price_euro_cents)
    whole = refunded == purchase.price_euro_cents
    return Level(
        refunded=refunded,
        taken_back=target,
        status=PurchaseStatus.REFUNDED if whole else PurchaseStatus.COMPLETED,
        movement=_movement(purchase, refunded, target),
    )


def _movement(purchase: Purchase, refunded: EuroCents, target: Credits) -> Movement | None:
    lacking = target - purchase.taken_back_credits
    if not lacking:
        return None
    taking = lacking > 0
    return Movement(
        user_id=purchase.user_id,
        type=TransactionType.CLAWBACK if taking else TransactionType.RESTORE,
        amount=-lacking,
        app_id=STRIPE_APP,
        counterparty=f"stripe:{purchase.id}",
        description=f"{'Payment returned' if taking else 'Payment received again'}: {purchase.package_name}",
        movement_key=f"takeback:{purchase.id}:{purchase.takeback_movements + 1}",
        metadata={"purchaseId": str(purchase.id), "refundedEuroCents": refunded},
    )
