"""Money that Stripe gave back, or that a bank took back, and the credits that go with it.

What Stripe tells of one refund or dispute only moves forward here, so that events may come in any order and number:
merging what is known with what is told is commutative, and telling it twice changes nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from domain.errors import Parked
from domain.rules.ledger import Movement, TransactionType
from domain.rules.purchases import CURRENCY, Purchase, PurchaseStatus
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
    """A refund, dispute or warning of one payment, as far as Stripe told.

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
    """What Stripe told of a refund, dispute or warning in some event or list.

    Attributes:
        livemode: Whether it was real money.
    """

    takeback: Takeback
    currency: str
    livemode: bool


def check_takeback(fact: TakebackFact, known: Takeback | None, *, livemode: bool) -> None:
    """Make sure that a fact can be one of ours.

    Raises:
        Parked: mode or currency are others, or the id was told of another payment: a person must look.
    """
    told = fact.takeback
    expected = {"livemode": (livemode, fact.livemode), "currency": (CURRENCY, fact.currency)}
    if known is not None:
        expected["purchase"] = (str(known.purchase_id), str(told.purchase_id))
        expected["payment intent"] = (known.payment_intent_id, told.payment_intent_id)
    wrong = [f"{name} {theirs} instead of {ours}" for name, (ours, theirs) in expected.items() if ours != theirs]
    if wrong:
        raise Parked(f"Stripe's {told.kind.value} {told.stripe_id} does not match: {', '.join(wrong)}")


def merged(known: Takeback | None, told: Takeback) -> Takeback:
    """Join what is known of a refund or dispute with what is told of it: the later state, the larger amount."""
    if known is None:
        return told
    state = max(known.state, told.state, key=lambda state: state.rank)
    return Takeback(
        stripe_id=known.stripe_id,
        kind=known.kind,
        purchase_id=known.purchase_id,
        payment_intent_id=known.payment_intent_id,
        amount=max(known.amount, told.amount),
        state=state,
    )


@dataclass(frozen=True, kw_only=True)
class Level:
    """How much of a purchase has gone back.

    Attributes:
        refunded: Money with the buyer again, 0 to the price.
        taken_back: Credits that go with it.
        movement: What the ledger lacks; nothing if it is level.
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
    ours = purchase.stripe_payment_intent_id
    gone = sum(
        one.amount for one in takebacks if one.state is TakebackState.TAKEN and ours in {None, one.payment_intent_id}
    )
    refunded = EuroCents(min(gone, purchase.price_euro_cents))
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
