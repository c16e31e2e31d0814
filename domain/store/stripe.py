"""What is stored about Stripe: customers, the idempotency keys used there, and how far its events were listed."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from domain.rules.purchases import StripeRequest
from domain.store.database import Reader, Store
from domain.store.schema import instant, metadata, text_column
from domain.units import UserId

stripe_customers = Table(
    "stripe_customers",
    metadata,
    Column("user_id", Text, primary_key=True),
    text_column("stripe_customer_id"),
    instant("created_at"),
    UniqueConstraint("stripe_customer_id", name="stripe_customers_stripe_customer_id_key"),
    schema="credits",
)

stripe_requests = Table(
    "stripe_requests",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("generation", Integer, nullable=False, server_default="0"),
    instant("first_at"),
    Column("spent", Boolean, nullable=False, server_default=text("false")),
    schema="credits",
)

stripe_cursors = Table(
    "stripe_cursors",
    metadata,
    Column("name", Text, primary_key=True),
    Column("seen_until", DateTime(timezone=True), nullable=False),
    schema="credits",
)

EVENTS: Final = "events"
"""The cursor of the list of events."""


def customer_of(reader: Reader, user_id: UserId) -> str | None:
    """Read the id of a user's Stripe customer, if there is one."""
    query = select(stripe_customers.c.stripe_customer_id).where(stripe_customers.c.user_id == user_id)
    customer_id: str | None = reader.run(query).scalar()
    return customer_id


def add_customer(store: Store, user_id: UserId, customer_id: str, *, now: datetime) -> None:
    """Write down a user's Stripe customer; the first one written stays."""
    fresh = insert(stripe_customers).values(user_id=user_id, stripe_customer_id=customer_id, created_at=now)
    store.run(fresh.on_conflict_do_nothing(constraint="stripe_customers_pkey"))


def open_request(store: Store, subject: str, *, now: datetime) -> None:
    """Write down that a key for `subject` is used from now on; an earlier row stays."""
    fresh = insert(stripe_requests).values(subject=subject, first_at=now)
    store.run(fresh.on_conflict_do_nothing(constraint="stripe_requests_pkey"))


def request_of(reader: Reader, subject: str) -> StripeRequest:
    """Read the request for `subject`, which must exist."""
    row = reader.run(select(stripe_requests).where(stripe_requests.c.subject == subject)).one()
    return StripeRequest(subject=subject, generation=row.generation, first_at=row.first_at, is_doubtful=row.spent)


def mark_spent(store: Store, request: StripeRequest) -> None:
    """Write down that the key of this generation no longer protects."""
    store.run(update(stripe_requests).where(*_is(request)).values(spent=True))


def advance_generation(store: Store, request: StripeRequest, *, now: datetime) -> None:
    """Move on to the next key, unless another worker has done so."""
    values = {"generation": request.generation + 1, "spent": False, "first_at": now}
    store.run(update(stripe_requests).where(*_is(request)).values(values))


def _is(request: StripeRequest) -> tuple[Any, Any]:
    return stripe_requests.c.subject == request.subject, stripe_requests.c.generation == request.generation


def seen_until(reader: Reader) -> datetime | None:
    """Read up to when Stripe's events have been listed; `None` if they never were."""
    query = select(stripe_cursors.c.seen_until).where(stripe_cursors.c.name == EVENTS)
    moment: datetime | None = reader.run(query).scalar()
    return moment


def move_cursor(store: Store, moment: datetime) -> None:
    """Write down that Stripe's events have been listed up to a moment; it never moves back."""
    fresh = insert(stripe_cursors).values(name=EVENTS, seen_until=moment)
    later = {"seen_until": func.greatest(stripe_cursors.c.seen_until, fresh.excluded.seen_until)}
    store.run(fresh.on_conflict_do_update(constraint="stripe_cursors_pkey", set_=later))
