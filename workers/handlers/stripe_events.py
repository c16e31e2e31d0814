"""Jobs of kinds `stripe` and `stripe-object`: a stored event, or an object of Stripe's, read for the facts it tells.

Whatever is asked of Stripe here only reads; a crash at any point leaves nothing behind, and the next try reads again.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

from domain.operations.jobs import Write
from domain.operations.purchases import purchase_of_payment, settle_payment
from domain.operations.reconciliation import check_still_paid
from domain.operations.takebacks import note_takeback
from domain.rules.jobs import Job
from domain.rules.purchases import PaymentFact
from domain.rules.takebacks import TakebackFact
from domain.store import Store
from gateways.stripe import facts
from gateways.stripe.reader import Stream
from process.parts import WorkerParts

Fact = PaymentFact | TakebackFact


def settle_event(job: Job, parts: WorkerParts) -> Write:
    """Let the event's facts change their purchase. Events of other objects and types are done as they are."""
    return partial(settle, told=facts_of(job.payload["event"], parts), livemode=parts.livemode, now=datetime.now(UTC))


def settle_object(job: Job, parts: WorkerParts) -> Write:
    """Let an object of Stripe's, as it is now, change its purchase, as the event that was never made would have.

    Raises:
        Parked: Stripe does not have the money of a purchase that was credited.
    """
    found = parts.stripe_reader.fetch(Stream(job.payload["stream"]), job.payload["id"])
    told = facts_shown(found, parts)
    return partial(_settle_shown, told=told, livemode=parts.livemode, now=datetime.now(UTC))


def settle(store: Store, *, told: Sequence[Fact], livemode: bool, now: datetime) -> Mapping[str, Any]:
    """Let facts change their purchases, in the transaction that ends the job."""
    results = [_settle_one(store, fact, livemode=livemode, now=now) for fact in told]
    match results:
        case []:
            return {"ignored": True}
        case [one]:
            return one
        case _:
            return {**results[-1], "facts": results}


def facts_of(event: facts.Document, parts: WorkerParts) -> list[Fact]:
    """Read the facts an event tells about our purchases; none if it is about something else."""
    kind, found = event["type"], event["data"]["object"]
    if kind == facts.CHARGE_REFUNDED:
        return _refunds_of_charge(found, parts, livemode=event["livemode"])
    if kind in facts.TAKEBACK_EVENTS:
        return _takebacks([found], _purchase_behind(found, parts), livemode=event["livemode"])
    payment = facts.payment_told(event)
    return [payment] if payment else []


def facts_shown(found: facts.Document, parts: WorkerParts) -> list[Fact]:
    """Read the facts an object shows as it is now."""
    if found["object"] in {Stream.INTENTS, Stream.SESSIONS}:
        payment = facts.payment_shown(found)
        return [payment] if payment else []
    # A refund does not say its mode; what our key lists is of its mode.
    livemode = bool(found.get("livemode", parts.livemode))
    return _takebacks([found], _purchase_behind(found, parts), livemode=livemode)


def _settle_one(store: Store, fact: Fact, *, livemode: bool, now: datetime) -> Mapping[str, Any]:
    match fact:
        case PaymentFact():
            return settle_payment(store, payment=fact, livemode=livemode, now=now)
        case TakebackFact():
            return note_takeback(store, fact=fact, livemode=livemode, now=now)


def _settle_shown(store: Store, *, told: Sequence[Fact], livemode: bool, now: datetime) -> Mapping[str, Any]:
    for fact in told:
        if isinstance(fact, PaymentFact):
            check_still_paid(store, fact)
    return settle(store, told=told, livemode=livemode, now=now)


def _refunds_of_charge(charge: facts.Document, parts: WorkerParts, *, livemode: bool) -> list[Fact]:
    """A charge tells only how much of it was refunded: its refunds are asked for, each a fact of its own."""
    payment_intent_id = facts.payment_intent_of(charge)
    purchase_id = _purchase_behind(charge, parts)
    if payment_intent_id is None or purchase_id is None:
        return []
    return _takebacks(parts.stripe_reader.refunds_of(payment_intent_id), purchase_id, livemode=livemode)


def _takebacks(found: Sequence[facts.Document], purchase_id: UUID | None, *, livemode: bool) -> list[Fact]:
    if purchase_id is None:
        return []
    return [facts.takeback_shown(one, purchase_id=purchase_id, livemode=livemode) for one in found]


def _purchase_behind(found: facts.Document, parts: WorkerParts) -> UUID | None:
    """Find the purchase of a refund, dispute, warning or charge; nothing if its payment is not ours.

    The PaymentIntent of a Checkout is not known here before it is paid, so Stripe is asked where we do not know.
    """
    payment_intent_id = facts.payment_intent_of(found)
    if payment_intent_id is None:
        return None
    with parts.database.single() as store:
        known = purchase_of_payment(store, payment_intent_id)
    return known or facts.purchase_of(parts.stripe_reader.fetch(Stream.INTENTS, payment_intent_id))
