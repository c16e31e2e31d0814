"""Jobs of kinds `reconcile` and `reconcile-objects`: what Stripe lists, compared with what is recorded here.

A listing is a chain of jobs. Each reads pages for some seconds, records what it finds page by page, and ends by
recording the job that goes on behind its last page. A crash loses at most a place in the list: the job is started
again, reads its pages again, and what it had recorded has its key already.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Final
from uuid import UUID

from domain.operations.jobs import record_all
from domain.operations.reconciliation import (
    EVENTS_KEPT,
    end_listing,
    events_since,
    payment_differs,
    takeback_differs,
)
from domain.rules.instants import instant_of
from domain.rules.job_kinds import RECONCILE, RECONCILE_OBJECTS, STRIPE_OBJECT
from domain.rules.job_payloads import ListAtStripe, Listed, Settled, StripeObject
from domain.rules.jobs import AnyNewJob, Job, NewJob
from domain.rules.stripe_events import event_job
from domain.store import Reader, Store
from gateways.stripe import facts as stripe_facts
from gateways.stripe.facts import Document
from gateways.stripe.reader import Stream, StripePage
from process.parts import WorkerParts
from workers.registry import handles

EVENTS: Final = (Stream.EVENTS,)
OBJECTS: Final = (Stream.INTENTS, Stream.SESSIONS, Stream.REFUNDS, Stream.DISPUTES)

PAGES_MAX: Final = 20
"""Pages that one job of a chain reads at most."""

READING_S: Final = 10.0
"""How long a job goes on to read: with one slow page more it is still within its lease."""

JobsOfPage = Callable[[Reader, Sequence[Document]], Sequence[AnyNewJob]]
"""Makes the jobs that a page of a list calls for."""


@dataclass(kw_only=True)
class _Listing:
    """How far a job of a chain has come."""

    stream: Stream | None
    after: str | None
    since: datetime
    newest: float
    reached: float | None = None
    listed: int = 0
    recorded: list[UUID] = field(default_factory=list)


@handles(RECONCILE)
def reconcile(payload: ListAtStripe, job: Job, parts: WorkerParts) -> Callable[[Store], Listed]:
    """List Stripe's events since the last seen, and record each that is new, exactly as the webhook does."""

    def jobs_of(_reader: Reader, events: Sequence[Document]) -> Sequence[AnyNewJob]:
        return [event_job(event, secret=parts.event_secrets[0], request_id=f"job:{job.id}") for event in events]

    with parts.database.read() as reader:
        since = events_since(reader, now=datetime.now(UTC))
    return _list(payload, job, parts, EVENTS, since=since, jobs_of=jobs_of)


@handles(RECONCILE_OBJECTS)
def reconcile_objects(payload: ListAtStripe, job: Job, parts: WorkerParts) -> Callable[[Store], Listed]:
    """Compare the payments, sessions, refunds and disputes of the last 30 days with the database.

    Each object that differs gets a job of its own, which reads the object again: it repairs the difference, or ends
    `failed` for a person where the facts contradict each other.
    """

    def jobs_of(reader: Reader, documents: Sequence[Document]) -> Sequence[AnyNewJob]:
        return [_recheck(document) for document in documents if _differs(reader, document, livemode=parts.livemode)]

    return _list(payload, job, parts, OBJECTS, since=datetime.now(UTC) - EVENTS_KEPT, jobs_of=jobs_of)


def _list(
    payload: ListAtStripe,
    job: Job,
    parts: WorkerParts,
    streams: Sequence[Stream],
    *,
    since: datetime,
    jobs_of: JobsOfPage,
) -> Callable[[Store], Listed]:
    listing = _Listing(
        stream=Stream(payload.stream) if payload.stream else streams[0],
        after=payload.after,
        since=payload.since or since,
        newest=payload.newest,
    )
    until = time.monotonic() + READING_S
    for _ in range(PAGES_MAX):
        if listing.stream is None or time.monotonic() > until:
            break
        page = parts.stripe_reader.page(listing.stream, since=listing.since, after=listing.after)
        with parts.database.begin() as store:
            recorded = record_all(store, jobs_of(store, page.documents))
        parts.bell.ring(*recorded)
        _move(listing, page, streams)
        listing.recorded += [new_job.id for new_job in recorded]
    return partial(_end, payload=payload, job=job, listing=listing)


def _move(listing: _Listing, page: StripePage, streams: Sequence[Stream]) -> None:
    """Write down that a page has been read, and where to go on."""
    listing.listed += len(page.documents)
    if page.documents:
        listing.newest = max(listing.newest, _created(page.documents[0]))
        listing.reached = _created(page.documents[-1])
    listing.after = page.following
    if page.following is None and listing.stream is not None:
        rest = streams[streams.index(listing.stream) + 1 :]
        listing.stream = rest[0] if rest else None


def _created(document: Document) -> float:
    """Read when Stripe created an object, in seconds since 1970.

    Raises:
        ValueError: it is no time that we can work with.
    """
    return instant_of(document["created"]).timestamp()


def _end(store: Store, *, payload: ListAtStripe, job: Job, listing: _Listing) -> Listed:
    """End a job of the chain; the last one of a scheduled listing of events moves the cursor."""
    moves = job.kind is RECONCILE and not payload.by_hand and listing.newest > 0
    following = [_next(payload, job, listing, listing.stream)] if listing.stream else []
    jobs = end_listing(store, newest=instant_of(listing.newest) if moves else None, following=following)
    return Listed(
        listed=listing.listed,
        recorded=tuple(listing.recorded),
        since=listing.since,
        stream=payload.stream,
        reached=listing.reached,
        next=jobs[0].id if jobs else None,
    )


def _next(payload: ListAtStripe, job: Job, listing: _Listing, stream: Stream) -> NewJob[ListAtStripe, Listed]:
    chain, _, place = job.key.partition("#")
    following = ListAtStripe(
        stream=stream.value,
        since=listing.since,
        after=listing.after,
        newest=listing.newest,
        by_hand=payload.by_hand,
    )
    return NewJob(kind=job.kind, key=f"{chain}#{int(place or 0) + 1}", payload=following)


def _differs(reader: Reader, document: Document, *, livemode: bool) -> bool:
    """Tell whether an object may differ from the database."""
    if document["object"] in {Stream.INTENTS, Stream.SESSIONS}:
        payment = stripe_facts.payment_shown(document)
        return payment is not None and payment_differs(reader, payment, livemode=livemode)
    return takeback_differs(reader, document["id"], stripe_facts.state_of(document))


def _recheck(document: Document) -> NewJob[StripeObject, Settled]:
    state = f"{document['status']}:{document.get('payment_status', '')}".rstrip(":")
    payload = StripeObject(stream=document["object"], id=document["id"])
    return NewJob(kind=STRIPE_OBJECT, key=f"stripe-object:{document['id']}:{state}", payload=payload)
