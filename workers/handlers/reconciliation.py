"""Jobs of kinds `reconcile` and `reconcile-objects`: what Stripe lists, compared with what is known here.

A listing is a chain of jobs. Each reads pages for some seconds, records what it finds page by page, and ends by
recording the job that goes on behind its last page. A crash loses at most a place in the list: the job is started
again, reads its pages again, and what it had recorded has its key already.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from domain.operations.jobs import Write, record_all
from domain.operations.reconciliation import (
    EVENTS_KEPT,
    end_listing,
    events_since,
    payment_differs,
    takeback_differs,
)
from domain.rules.jobs import Job, JobKind, NewJob
from domain.rules.stripe_events import event_job
from domain.store import Store
from gateways.stripe import facts
from gateways.stripe.reader import Page, Stream
from process.parts import WorkerParts

EVENTS: Final = (Stream.EVENTS,)
OBJECTS: Final = (Stream.INTENTS, Stream.SESSIONS, Stream.REFUNDS, Stream.DISPUTES)

PAGES_MAX: Final = 20
"""Pages that one job of a chain reads at most."""

READING_S: Final = 10.0
"""How long a job goes on to read: with one slow page more it is still within its lease."""

Wanted = Callable[[Store, Sequence[facts.Document]], list[NewJob]]
"""Tells which jobs a page asks for."""


@dataclass(kw_only=True)
class _Reading:
    """How far a job of a chain has come."""

    stream: Stream | None
    after: str | None
    since: datetime
    newest: float
    reached: float | None = None
    listed: int = 0
    recorded: list[str] = field(default_factory=list)


def reconcile(job: Job, parts: WorkerParts) -> Write:
    """List Stripe's events since the last seen, and record each that is new, exactly as the webhook does."""

    def wanted(_store: Store, events: Sequence[facts.Document]) -> list[NewJob]:
        return [event_job(event, request_id=f"job:{job.id}") for event in events]

    with parts.database.single() as store:
        since = events_since(store, now=datetime.now(UTC))
    return _read(job, parts, EVENTS, since=since, wanted=wanted)


def reconcile_objects(job: Job, parts: WorkerParts) -> Write:
    """Compare the payments, sessions, refunds and disputes of the last 30 days with the database.

    What differs is looked at once more by a job of its own, which reads the object as it is then: it heals the
    difference, or ends `failed` for a person where the facts contradict each other.
    """

    def wanted(store: Store, found: Sequence[facts.Document]) -> list[NewJob]:
        return [_look(one) for one in found if _differs(store, one, livemode=parts.livemode)]

    return _read(job, parts, OBJECTS, since=datetime.now(UTC) - EVENTS_KEPT, wanted=wanted)


def _read(job: Job, parts: WorkerParts, streams: Sequence[Stream], *, since: datetime, wanted: Wanted) -> Write:
    told = job.payload
    reading = _Reading(
        stream=Stream(told["stream"]) if "stream" in told else streams[0],
        after=told.get("after"),
        since=datetime.fromisoformat(told["since"]) if "since" in told else since,
        newest=told.get("newest", 0.0),
    )
    until = time.monotonic() + READING_S
    for _ in range(PAGES_MAX):
        if reading.stream is None or time.monotonic() > until:
            break
        page = parts.stripe_reader.page(reading.stream, since=reading.since, after=reading.after)
        with parts.database.begin() as store:
            fresh = record_all(store, wanted(store, page.found))
        parts.bell.ring(*fresh)
        _move(reading, page, streams)
        reading.recorded += [str(one.id) for one in fresh]
    return partial(_end, job=job, reading=reading)


def _move(reading: _Reading, page: Page, streams: Sequence[Stream]) -> None:
    """Write down that a page has been read, and where to go on."""
    reading.listed += len(page.found)
    if page.found:
        reading.newest = max(reading.newest, page.found[0]["created"])
        reading.reached = page.found[-1]["created"]
    reading.after = page.following
    if page.following is None and reading.stream is not None:
        rest = streams[streams.index(reading.stream) + 1 :]
        reading.stream = rest[0] if rest else None


def _end(store: Store, *, job: Job, reading: _Reading) -> Mapping[str, Any]:
    """End a job of the chain; the last one of a scheduled listing of events moves the cursor."""
    moves = job.kind is JobKind.RECONCILE and not job.payload.get("byHand") and reading.newest > 0
    following = [_next(job, reading, reading.stream)] if reading.stream else []
    jobs = end_listing(
        store, newest=datetime.fromtimestamp(reading.newest, UTC) if moves else None, following=following
    )
    return {
        "listed": reading.listed,
        "recorded": reading.recorded,
        "since": reading.since.isoformat(),
        "stream": job.payload.get("stream"),
        "reached": reading.reached,
        "next": str(jobs[0].id) if jobs else None,
    }


def _next(job: Job, reading: _Reading, stream: Stream) -> NewJob:
    chain, _, place = job.key.partition("#")
    going_on = {"stream": stream.value, "since": reading.since.isoformat(), "newest": reading.newest}
    if reading.after is not None:
        going_on["after"] = reading.after
    payload = {name: value for name, value in job.payload.items() if name == "byHand"} | going_on
    return NewJob(kind=job.kind, key=f"{chain}#{int(place or 0) + 1}", payload=payload)


def _differs(store: Store, found: facts.Document, *, livemode: bool) -> bool:
    """Tell whether an object may say something that the database does not know."""
    if found["object"] in {Stream.INTENTS, Stream.SESSIONS}:
        payment = facts.payment_shown(found)
        return payment is not None and payment_differs(store, payment, livemode=livemode)
    return takeback_differs(store, found["id"], facts.state_of(found))


def _look(found: facts.Document) -> NewJob:
    state = f"{found['status']}:{found.get('payment_status', '')}".rstrip(":")
    payload = {"stream": found["object"], "id": found["id"]}
    return NewJob(kind=JobKind.STRIPE_OBJECT, key=f"stripe-object:{found['id']}:{state}", payload=payload)
