"""Stripe refunds and disputes: what Stripe reports of them, and the credits that are taken back."""

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
from domain.store import stripe_refunds as takeback_rows
from domain.units import EuroCents


def note_takeback(store: Store, *, fact: TakebackFact, livemode: bool, now: datetime) -> Settled:
    """Write down what Stripe reported of a refund, dispute or warning, and level the credits of its purchase.

    Any number of events may report it, in any order: they wait for the purchase's lock, what is known only moves
    forward, and the credits follow from all that is known. For an unpaid purchase it is only written down; its credits
    follow when the payment is reported.

    Args:
        livemode: Whether this service expects real money.

    Raises:
        Parked: the purchase is unknown, or the fact contradicts what is known.
    """
    takeback = fact.takeback
    purchase_id = takeback.purchase_id
    if purchase_rows.lock(store, purchase_id) is None:
        raise Parked(f"Stripe knows a {takeback.kind.value} of purchase {purchase_id}, which is not in this database")
    known = takeback_rows.find(store, takeback.stripe_id)
    check_takeback(fact, known, livemode=livemode)
    now_known = merged(known, takeback)
    if now_known != known:
        takeback_rows.put(store, now_known, now=now)
    return msgspec.structs.replace(level_credits(store, purchase_id, now=now), takeback_id=takeback.stripe_id)


def level_credits(store: Store, purchase_id: UUID, *, now: datetime) -> Settled:
    """Write the movement that brings the credits of a purchase in line with its takebacks.

    A clawback may leave the balance below zero; later credits raise it again.
    """
    purchase = purchase_rows.lock(store, purchase_id)
    if purchase is None or purchase.status not in PAID:
        return Settled(purchase_id=purchase_id)
    target = level(purchase, takeback_rows.of_purchase(store, purchase_id))
    if target.movement is not None:
        ledger.append(store, target.movement, now=now)
    if target.movement is not None or target.refunded != purchase.refunded_euro_cents:
        purchase_rows.set_level(store, purchase, target)
    return Settled(
        purchase_id=purchase_id,
        status=target.status,
        refunded_euro_cents=target.refunded,
        taken_back_credits=target.taken_back,
    )


def request_refund(
    store: Store, *, purchase_id: UUID, amount: EuroCents | None, reason: str
) -> Recorded[RefundPurchase, RefundOpened]:
    """Record the job that asks Stripe to refund a purchase. The credits are taken back when Stripe reports the refund.

    The job's key holds the sum of the earlier refunds: two requests before Stripe reports the first are one refund.

    Args:
        amount: What to refund; `None` is all that is left.
        reason: One of Stripe's refund reasons.

    Raises:
        NotFound: there is no such purchase.
        NotRefundable: it is not paid, or less is left of it.
        KeyReused: a refund of another amount is under way.
    """
    purchase = purchase_rows.lock(store, purchase_id)
    if purchase is None:
        raise NotFound("Purchase")
    left = purchase.price_euro_cents - purchase.refunded_euro_cents if purchase.status in PAID else 0
    to_refund = left if amount is None else amount
    if not 1 <= to_refund <= left:
        raise NotRefundable(purchase_id=str(purchase_id), status=purchase.status.value, left=left)
    # Failed refunds count too: a request after a failed one is another refund.
    takebacks = takeback_rows.of_purchase(store, purchase_id)
    asked_before = sum(takeback.amount for takeback in takebacks if takeback.kind is TakebackKind.REFUND)
    new = NewJob(
        kind=REFUND,
        key=f"refund:{purchase_id}:{asked_before}",
        concerns=purchase.user_id,
        payload=RefundPurchase(
            purchase_id=purchase_id, amount=EuroCents(to_refund), reason=reason, asked_before=EuroCents(asked_before)
        ),
        request_hash=fingerprint(amount=to_refund, reason=reason),
    )
    return record(store, new)
