"""Jobs of kinds `stripe` and `stripe-object`: a stored event, or an object of Stripe's, read for its facts.

Calls to Stripe here only read; a crash at any point leaves nothing behind, and the next attempt reads again.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

import msgspec

from domain.operations.purchases import settle_payment
from domain.operations.reconciliation import check_still_paid
from domain.operations.stripe_refunds import note_takeback
from domain.rules.job_kinds import STRIPE_EVENT, STRIPE_OBJECT
from domain.rules.job_payloads import Settled, StripeEvent, StripeObject
from domain.rules.jobs import Job
from domain.rules.purchases import PaymentFact
from domain.rules.stripe_events import is_genuine
from domain.rules.stripe_refunds import TakebackFact
from domain.store import Store
from domain.store import purchases as purchase_rows
from gateways.stripe import facts as stripe_facts
from gateways.stripe.facts import Document
from gateways.stripe.reader import Stream
from process.parts import WorkerParts
from workers.registry import handles

Fact = PaymentFact | TakebackFact


@handles(STRIPE_EVENT)
def settle_event(payload: StripeEvent, _job: Job, parts: WorkerParts) -> Callable[[Store], Settled]:
    """Change a purchase by the facts of an event. Events of other objects and types change nothing.

    An event without our mark was stored by an earlier release, or by somebody who can write to the database: what
    Stripe says of it counts.
    """
    facts = facts_of(_from_stripe(payload, parts), parts)
    return partial(settle, facts=facts, livemode=parts.livemode, now=datetime.now(UTC))


@handles(STRIPE_OBJECT)
def settle_object(payload: StripeObject, _job: Job, parts: WorkerParts) -> Callable[[Store], Settled]:
    """Change a purchase by an object of Stripe's as it is now, as the missing event would have.

    Raises:
        Parked: a purchase was credited, and is not paid at Stripe.
    """
    document = parts.stripe_reader.fetch(Stream(payload.stream), payload.id)
    return partial(_settle_shown, facts=facts_shown(document, parts), livemode=parts.livemode, now=datetime.now(UTC))


def _from_stripe(payload: StripeEvent, parts: WorkerParts) -> Document:
    if is_genuine(payload, secrets=parts.event_secrets):
        return payload.event
    return parts.stripe_reader.fetch(Stream.EVENTS, str(payload.event.get("id")))


def settle(store: Store, *, facts: Sequence[Fact], livemode: bool, now: datetime) -> Settled:
    """Change purchases by facts, in the transaction that ends the job."""
    results = [_settle_one(store, fact, livemode=livemode, now=now) for fact in facts]
    match results:
        case []:
            return Settled(ignored=True)
        case [result]:
            return result
        case _:
            return msgspec.structs.replace(results[-1], facts=tuple(results))


def facts_of(event: Document, parts: WorkerParts) -> list[Fact]:
    """Read the facts of an event about our purchases; none if it is about something else."""
    event_type, document = event["type"], event["data"]["object"]
    if event_type == stripe_facts.CHARGE_REFUNDED:
        return _refunds_of_charge(document, parts, livemode=event["livemode"])
    if event_type in stripe_facts.TAKEBACK_EVENTS:
        return _takebacks([document], _purchase_behind(document, parts), livemode=event["livemode"])
    payment = stripe_facts.payment_in_event(event)
    return [payment] if payment else []


def facts_shown(document: Document, parts: WorkerParts) -> list[Fact]:
    """Read the facts of an object as it is now."""
    if document["object"] in {Stream.INTENTS, Stream.SESSIONS}:
        payment = stripe_facts.payment_shown(document)
        return [payment] if payment else []
    # A refund has no mode of its own; the objects that our key lists are of the key's mode.
    livemode = bool(document.get("livemode", parts.livemode))
    return _takebacks([document], _purchase_behind(document, parts), livemode=livemode)


def _settle_one(store: Store, fact: Fact, *, livemode: bool, now: datetime) -> Settled:
    match fact:
        case PaymentFact():
            return settle_payment(store, payment=fact, livemode=livemode, now=now)
        case TakebackFact():
            return note_takeback(store, fact=fact, livemode=livemode, now=now)


def _settle_shown(store: Store, *, facts: Sequence[Fact], livemode: bool, now: datetime) -> Settled:
    for fact in facts:
        if isinstance(fact, PaymentFact):
            check_still_paid(store, fact)
    return settle(store, facts=facts, livemode=livemode, now=now)


def _refunds_of_charge(charge: Document, parts: WorkerParts, *, livemode: bool) -> list[Fact]:
    """Read the refunds of a charge, each as a fact: the charge itself holds only their sum."""
    payment_intent_id = stripe_facts.payment_intent_of(charge)
    purchase_id = _purchase_behind(charge, parts)
    if payment_intent_id is None or purchase_id is None:
        return []
    return _takebacks(parts.stripe_reader.refunds_of(payment_intent_id), purchase_id, livemode=livemode)


def _takebacks(documents: Sequence[Document], purchase_id: UUID | None, *, livemode: bool) -> list[Fact]:
    if purchase_id is None:
        return []
    return [stripe_facts.takeback_shown(document, purchase_id=purchase_id, livemode=livemode) for document in documents]


def _purchase_behind(document: Document, parts: WorkerParts) -> UUID | None:
    """Find the purchase of a refund, dispute, warning or charge; `None` if its payment is not ours.

    The PaymentIntent of a Checkout is not recorded here before it is paid, so an unknown one is read from Stripe.
    """
    payment_intent_id = stripe_facts.payment_intent_of(document)
    if payment_intent_id is None:
        return None
    with parts.database.read() as reader:
        purchase_id = purchase_rows.of_payment(reader, payment_intent_id)
    return purchase_id or stripe_facts.purchase_of(parts.stripe_reader.fetch(Stream.INTENTS, payment_intent_id))
