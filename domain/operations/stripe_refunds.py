"""Refunds and disputes: what Stripe tells of them, and the credits that go back with the money."""

from datetime import datetime
from uuid import UUID

import msgspec

from domain.errors import NotFound, NotRefundable, Parked
from domain.operations.jobs import record
from domain.rules.idempotency import fingerprint
from domain.rules.job_kinds import REFUND
from domain.rules.job_payloads import RefundOpened, RefundPurchase, Settled
from domain.rules.jobs import NewJob, Recorded
from domain.rules.stripe_refunds import PAID, TakebackFact, TakebackKind, check_takeback, level, merged
from domain.store import Store, ledger
from domain.store import purchases as purchase_rows
from domain.store import stripe_refunds as rows
from domain.units import EuroCents


def note_takeback(store: Store, *, fact: TakebackFact, livemode: bool, now: datetime) -> Settled:
    """Write down what Stripe told of a refund, dispute or warning, and level the credits of its purchase.

    Any number of events may tell it, in any order: the purchase's lock makes them queue, what is known only moves
    forward, and the credits follow from all that is known. Of an unpaid purchase it is written down, and takes its
    part when the payment is told.

    Args:
        livemode: Whether this house expects real money.

    Raises:
        Parked: the purchase is unknown, or the fact contradicts what is known.
    """
    told = fact.takeback
    if purchase_rows.lock(store, told.purchase_id) is None:
        raise Parked(f"Stripe knows a {told.kind.value} of purchase {told.purchase_id}, which is not in this database")
    known = rows.find(store, told.stripe_id)
    check_takeback(fact, known, livemode=livemode)
    now_known = merged(known, told)
    if now_known != known:
        rows.put(store, now_known, now=now)
    return msgspec.structs.replace(level_credits(store, told.purchase_id, now=now), takeback_id=told.stripe_id)


def level_credits(store: Store, purchase_id: UUID, *, now: datetime) -> Settled:
    """Move the difference between the credits a locked purchase should have lost and those it has lost.

    Taking back may leave the balance below zero; the next credit heals it.
    """
    purchase = purchase_rows.lock(store, purchase_id)
    if purchase is None or purchase.status not in PAID:
        return Settled(purchase_id=purchase_id)
    wanted = level(purchase, rows.of_purchase(store, purchase_id))
    if wanted.movement is not None:
        ledger.append(store, wanted.movement, now=now)
    if wanted.movement is not None or wanted.refunded != purchase.refunded_euro_cents:
        purchase_rows.set_level(store, purchase, wanted)
    return Settled(
        purchase_id=purchase_id,
        status=wanted.status,
        refunded_euro_cents=wanted.refunded,
        taken_back_credits=wanted.taken_back,
    )


def request_refund(
    store: Store, *, purchase_id: UUID, amount: EuroCents | None, reason: str
) -> Recorded[RefundPurchase, RefundOpened]:
    """Record the job that asks Stripe to refund a purchase. The credits go back when Stripe tells of the refund.

    The job's key holds what was refunded before: asked twice before Stripe has told of the first, it is one refund.

    Args:
        amount: What to refund; nothing is all that is left.
        reason: A word of Stripe's.

    Raises:
        NotFound: there is no such purchase.
        NotRefundable: it is not paid, or less is left of it.
        KeyReused: a refund of another amount is under way.
    """
    purchase = purchase_rows.lock(store, purchase_id)
    if purchase is None:
        raise NotFound("Purchase")
    left = purchase.price_euro_cents - purchase.refunded_euro_cents if purchase.status in PAID else 0
    wanted = left if amount is None else amount
    if not 1 <= wanted <= left:
        raise NotRefundable(purchase_id=str(purchase_id), status=purchase.status.value, left=left)
    # Failed refunds count as well: asking again after one is another refund.
    asked = sum(one.amount for one in rows.of_purchase(store, purchase_id) if one.kind is TakebackKind.REFUND)
    new = NewJob(
        kind=REFUND,
        key=f"refund:{purchase_id}:{asked}",
        concerns=purchase.user_id,
        payload=RefundPurchase(
            purchase_id=purchase_id, amount=EuroCents(wanted), reason=reason, asked_before=EuroCents(asked)
        ),
        request_hash=fingerprint(amount=wanted, reason=reason),
    )
    return record(store, new)
