"""The purchases, and what belongs to them at Stripe."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert

from domain.rules.purchases import Package, Purchase, PurchaseStatus, Redirects, StripeObjects
from domain.rules.takebacks import Level
from domain.store.database import Store
from domain.store.tables import jobs, purchases, stripe_customers, stripe_requests
from domain.units import UserId

KEY_LIFE: Final = timedelta(hours=20)
"""Stripe forgets a key after 24 hours (docs.stripe.com/api/idempotent_requests); we stop trusting it earlier."""


def add(
    store: Store, purchase_id: UUID, *, user_id: UserId, package: Package, redirects: Redirects | None, now: datetime
) -> None:
    """Write a new, pending purchase with the credits and the price of this moment."""
    store.run(
        insert(purchases).values(
            id=purchase_id,
            user_id=user_id,
            package_id=package.id,
            package_name=package.name,
            credits=package.credits,
            price_euro_cents=package.price_euro_cents,
            success_url=redirects.success_url if redirects else None,
            cancel_url=redirects.cancel_url if redirects else None,
            created_at=now,
        )
    )


def find(store: Store, purchase_id: UUID) -> Purchase | None:
    """Read a purchase."""
    row = store.first(select(purchases).where(purchases.c.id == purchase_id))
    return None if row is None else _purchase(row)


def lock(store: Store, purchase_id: UUID) -> Purchase | None:
    """Lock and read a purchase."""
    row = store.first(select(purchases).where(purchases.c.id == purchase_id).with_for_update())
    return None if row is None else _purchase(row)


def of_user(
    store: Store, user_id: UserId, *, limit: int, offset: int, older_than: tuple[datetime, UUID] | None
) -> list[Purchase]:
    """Read a user's purchases, newest first; `older_than` continues behind one already seen."""
    wanted = select(purchases).where(purchases.c.user_id == user_id)
    if older_than is not None:
        created_at, purchase_id = older_than
        older = (purchases.c.created_at < created_at) | (
            (purchases.c.created_at == created_at) & (purchases.c.id < purchase_id)
        )
        wanted = wanted.where(older)
    wanted = wanted.order_by(purchases.c.created_at.desc(), purchases.c.id.desc()).limit(limit).offset(offset)
    return [_purchase(row) for row in store.run(wanted)]


def attach(store: Store, purchase_id: UUID, made: StripeObjects) -> None:
    """Write down what was made at Stripe for a purchase."""
    store.run(
        update(purchases)
        .where(purchases.c.id == purchase_id)
        .values(
            stripe_customer_id=made.customer_id,
            stripe_payment_intent_id=made.payment_intent_id or purchases.c.stripe_payment_intent_id,
            stripe_checkout_session_id=made.checkout_session_id,
            client_secret=made.client_secret,
            checkout_url=made.checkout_url,
        )
    )


def set_status(
    store: Store, purchase: Purchase, status: PurchaseStatus, *, payment_intent_id: str | None, now: datetime
) -> None:
    """Move a locked purchase forward."""
    store.run(
        update(purchases)
        .where(purchases.c.id == purchase.id)
        .values(
            status=status.value,
            stripe_payment_intent_id=purchase.stripe_payment_intent_id or payment_intent_id,
            completed_at=now if status is PurchaseStatus.COMPLETED else purchase.completed_at,
        )
    )


def set_level(store: Store, purchase: Purchase, level: Level) -> None:
    """Write how much of a locked, paid purchase has gone back."""
    store.run(
        update(purchases)
        .where(purchases.c.id == purchase.id)
        .values(
            status=level.status.value,
            refunded_euro_cents=level.refunded,
            taken_back_credits=level.taken_back,
            takeback_movements=purchase.takeback_movements + (level.movement is not None),
        )
    )


def of_payment(store: Store, payment_intent_id: str) -> UUID | None:
    """Find the purchase that a PaymentIntent pays; nothing if it is not known here."""
    wanted = select(purchases.c.id).where(purchases.c.stripe_payment_intent_id == payment_intent_id)
    purchase_id: UUID | None = store.run(wanted).scalar()
    return purchase_id


def abandoned(store: Store, *, before: datetime, without: str, most: int) -> list[UUID]:
    """Find the oldest unpaid purchases made before a moment.

    Args:
        without: Leaves out those with a job of the key `<without>:<purchase>`.
    """
    asked = select(jobs.c.id).where(jobs.c.key == func.concat(without, ":", purchases.c.id)).exists()
    unpaid = purchases.c.status.in_([literal_column("'pending'"), literal_column("'failed'")])  # as the index has them
    wanted = select(purchases.c.id).where(unpaid, purchases.c.created_at < before, ~asked)
    found: list[UUID] = list(store.run(wanted.order_by(purchases.c.created_at).limit(most)).scalars())
    return found


def customer_of(store: Store, user_id: UserId) -> str | None:
    """Read the id of a user's Stripe customer, if there is one."""
    customer: str | None = store.run(
        select(stripe_customers.c.stripe_customer_id).where(stripe_customers.c.user_id == user_id)
    ).scalar()
    return customer


def set_customer(store: Store, user_id: UserId, customer_id: str, *, now: datetime) -> None:
    """Write down a user's Stripe customer; the first one written stays."""
    fresh = insert(stripe_customers).values(user_id=user_id, stripe_customer_id=customer_id, created_at=now)
    store.run(fresh.on_conflict_do_nothing(constraint="stripe_customers_pkey"))


@dataclass(frozen=True, kw_only=True)
class StripeRequest:
    """Which idempotency key to use at Stripe for an object that is wanted once.

    Attributes:
        generation: Counts the keys; the key is made from the subject and this number.
        first_at: When the key of this generation was first used.
        doubtful: The key of this generation no longer protects: look for the object before asking with the next key.
    """

    subject: str
    generation: int
    first_at: datetime
    doubtful: bool


def stripe_request(store: Store, subject: str, *, now: datetime) -> StripeRequest:
    """Read which key to use for `subject`, writing down its first use."""
    fresh = insert(stripe_requests).values(subject=subject, first_at=now)
    store.run(fresh.on_conflict_do_nothing(constraint="stripe_requests_pkey"))
    row = store.run(select(stripe_requests).where(stripe_requests.c.subject == subject)).one()
    doubtful = row.spent or row.first_at < now - KEY_LIFE
    return StripeRequest(subject=subject, generation=row.generation, first_at=row.first_at, doubtful=doubtful)


def spend_stripe_key(store: Store, request: StripeRequest) -> None:
    """Write down that Stripe keeps an error for this key and would repeat it for ever."""
    store.run(update(stripe_requests).where(*_is(request)).values(spent=True))


def next_stripe_key(store: Store, request: StripeRequest, *, now: datetime) -> None:
    """Move on to the next key, unless another worker has done so."""
    values = {"generation": request.generation + 1, "spent": False, "first_at": now}
    store.run(update(stripe_requests).where(*_is(request)).values(values))


def _is(request: StripeRequest) -> tuple[Any, Any]:
    return stripe_requests.c.subject == request.subject, stripe_requests.c.generation == request.generation


def _purchase(row: Row[Any]) -> Purchase:
    redirects = Redirects(success_url=row.success_url, cancel_url=row.cancel_url) if row.success_url else None
    return Purchase(
        id=row.id,
        user_id=row.user_id,
        package_id=row.package_id,
        package_name=row.package_name,
        credits=row.credits,
        price_euro_cents=row.price_euro_cents,
        status=PurchaseStatus(row.status),
        redirects=redirects,
        stripe_customer_id=row.stripe_customer_id,
        stripe_payment_intent_id=row.stripe_payment_intent_id,
        stripe_checkout_session_id=row.stripe_checkout_session_id,
        client_secret=row.client_secret,
        checkout_url=row.checkout_url,
        metadata=row.metadata,
        created_at=row.created_at,
        completed_at=row.completed_at,
        refunded_euro_cents=row.refunded_euro_cents,
        taken_back_credits=row.taken_back_credits,
        takeback_movements=row.takeback_movements,
    )
