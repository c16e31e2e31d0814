"""Reconciliation: what Stripe lists against what is recorded here, and purchases that nobody paid."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from domain.errors import Parked
from domain.operations.jobs import record, record_all
from domain.rules.job_kinds import CANCEL, RECONCILE, RECONCILE_OBJECTS
from domain.rules.job_payloads import CancelPurchase, ListAtStripe, Settled
from domain.rules.jobs import AnyNewJob, Job, NewJob
from domain.rules.purchases import PaymentFact, PaymentOutcome, check_payment, next_status
from domain.rules.stripe_refunds import PAID, TakebackState
from domain.store import Reader, Store
from domain.store import purchases as purchase_rows
from domain.store import stripe as stripe_rows
from domain.store import stripe_refunds as takeback_rows

OVERLAP: Final = timedelta(minutes=15)
"""How far a listing looks back behind the newest event of the one before: Stripe may list an event a little late."""

FIRST_PERIOD: Final = timedelta(hours=24)
EVENTS_KEPT: Final = timedelta(days=30)
"""How long Stripe lists an event (https://docs.stripe.com/api/events)."""

ABANDONED_AFTER: Final = timedelta(hours=24)
BATCH: Final = 200


def events_since(reader: Reader, *, now: datetime) -> datetime:
    """Tell from when on Stripe's events are to be listed next."""
    seen = stripe_rows.seen_until(reader)
    begin = now - FIRST_PERIOD if seen is None else seen - OVERLAP
    return max(begin, now - EVENTS_KEPT)


def payment_differs(reader: Reader, payment: PaymentFact, *, livemode: bool) -> bool:
    """Tell whether a payment, as Stripe shows it now, differs from the database or contradicts it."""
    purchase = purchase_rows.find(reader, payment.purchase_id)
    if purchase is None:
        return True
    try:
        check_payment(purchase, payment, livemode=livemode)
        check_still_paid(reader, payment)
    except Parked:
        return True
    return next_status(purchase.status, payment.outcome) is not purchase.status


def check_still_paid(reader: Reader, payment: PaymentFact) -> None:
    """Make sure that a purchase that was credited is paid at Stripe.

    Args:
        payment: As Stripe shows it now, not as an event reported it earlier.

    Raises:
        Parked: the purchase is credited, and Stripe says that it is not paid.
    """
    purchase = purchase_rows.find(reader, payment.purchase_id)
    if purchase is not None and purchase.status in PAID and payment.outcome is not PaymentOutcome.SUCCEEDED:
        raise Parked(f"Purchase {purchase.id} is credited, and its payment at Stripe is {payment.outcome.value}")


def takeback_differs(reader: Reader, stripe_id: str, state: TakebackState) -> bool:
    """Tell whether a refund or dispute, as Stripe shows it now, is further than the database knows."""
    known = takeback_rows.find(reader, stripe_id)
    return known is None or known.state.rank < state.rank


def record_cancellations(store: Store, *, now: datetime) -> list[Job]:
    """Record a job for each of a batch of purchases that nobody paid within a day; returns those jobs.

    One job per day and purchase: a payment that waits for a bank is checked again the next day.
    """
    day = f"cancel:{now:%Y-%m-%d}"
    purchase_ids = purchase_rows.abandoned(store, before=now - ABANDONED_AFTER, without=day, most=BATCH)
    return record_all(store, [_cancellation(purchase_id, day) for purchase_id in purchase_ids])


def request_reconciliation(store: Store, *, since: datetime | None, objects: bool, now: datetime) -> Job:
    """Record a reconciliation that a person asked for.

    Args:
        since: From when on to list; `None` is 24 hours ago, or 30 days ago for objects.
        objects: Compare the objects themselves instead of listing events.
    """
    kind = RECONCILE_OBJECTS if objects else RECONCILE
    begin = since or now - (EVENTS_KEPT if objects else FIRST_PERIOD)
    payload = ListAtStripe(since=begin, by_hand=True)
    return record(store, NewJob(kind=kind, key=f"{kind.name}:by-hand:{now.isoformat()}", payload=payload)).job


def end_listing(store: Store, *, newest: datetime | None, following: Sequence[AnyNewJob]) -> list[Job]:
    """End a part of a listing: record the job that goes on, or move the cursor when all has been listed."""
    if newest is not None and not following:
        stripe_rows.move_cursor(store, newest)
    return record_all(store, following)


def _cancellation(purchase_id: UUID, day: str) -> NewJob[CancelPurchase, Settled]:
    return NewJob(kind=CANCEL, key=f"{day}:{purchase_id}", payload=CancelPurchase(purchase_id=purchase_id))
