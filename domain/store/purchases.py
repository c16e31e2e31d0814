"""The purchases, and what belongs to them at Stripe."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    Row,
    Table,
    UniqueConstraint,
    Uuid,
    func,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from domain.errors import NotFound
from domain.rules.purchases import Package, Purchase, PurchaseStatus, Redirects, StripeObjects
from domain.rules.stripe_refunds import Level
from domain.store.database import Reader, Store
from domain.store.jobs import jobs
from domain.store.paging import Position, newest_first
from domain.store.schema import instant, json_column, metadata, number, text_column
from domain.units import UserId

purchases = Table(
    "purchases",
    metadata,
    Column("id", Uuid, primary_key=True),
    text_column("user_id"),
    Column("package_id", Uuid, ForeignKey("credits.packages.id", name="purchases_package_id_fkey"), nullable=False),
    text_column("package_name"),
    number("credits"),
    number("price_euro_cents"),
    text_column("status", default="pending"),
    text_column("success_url", nullable=True),
    text_column("cancel_url", nullable=True),
    text_column("stripe_customer_id", nullable=True),
    text_column("stripe_payment_intent_id", nullable=True),
    text_column("stripe_checkout_session_id", nullable=True),
    text_column("client_secret", nullable=True),
    text_column("checkout_url", nullable=True),
    json_column("metadata"),
    instant("created_at"),
    instant("completed_at", nullable=True),
    number("refunded_euro_cents", default=0),
    number("taken_back_credits", default=0),
    Column("takeback_movements", Integer, nullable=False, server_default="0"),
    UniqueConstraint("stripe_payment_intent_id", name="purchases_payment_intent_key"),
    UniqueConstraint("stripe_checkout_session_id", name="purchases_checkout_session_key"),
    Index("purchases_user", "user_id", text("created_at DESC"), text("id DESC")),
    Index("purchases_unpaid", "created_at", postgresql_where=text("status IN ('pending', 'failed')")),
    Index("purchases_cancelled", "created_at", postgresql_where=text("status = 'cancelled'")),
    schema="credits",
)

_START_LOCK: Final = 5264393
"""The first number of the advisory locks of users who start purchases."""


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


def lock_user(store: Store, user_id: UserId) -> None:
    """Let the user's purchases start one after the other, until the transaction ends."""
    store.run(select(func.pg_advisory_xact_lock(_START_LOCK, func.hashtext(user_id))))


def unpaid_since(reader: Reader, user_id: UserId, *, since: datetime, most: int) -> list[datetime]:
    """Tell when a user's purchases that were started after a moment and are not paid were started, newest first."""
    paid = [PurchaseStatus.COMPLETED.value, PurchaseStatus.REFUNDED.value]
    query = select(purchases.c.created_at).where(
        purchases.c.user_id == user_id, purchases.c.created_at > since, purchases.c.status.not_in(paid)
    )
    return list(reader.run(query.order_by(purchases.c.created_at.desc()).limit(most)).scalars())


def find(reader: Reader, purchase_id: UUID) -> Purchase | None:
    """Read a purchase."""
    row = reader.first(select(purchases).where(purchases.c.id == purchase_id))
    return None if row is None else _purchase(row)


def get(reader: Reader, purchase_id: UUID, *, owner: UserId | None = None) -> Purchase:
    """Read a purchase.

    Args:
        owner: Who asks; `None` for the service itself.

    Raises:
        NotFound: there is no such purchase, or it is not the owner's.
    """
    purchase = find(reader, purchase_id)
    if purchase is None or (owner is not None and purchase.user_id != owner):
        raise NotFound("Purchase")
    return purchase


def lock(store: Store, purchase_id: UUID) -> Purchase | None:
    """Lock and read a purchase."""
    row = store.first(select(purchases).where(purchases.c.id == purchase_id).with_for_update())
    return None if row is None else _purchase(row)


def of_user(
    reader: Reader, user_id: UserId, *, limit: int, offset: int = 0, older_than: Position | None = None
) -> list[Purchase]:
    """Read a user's purchases, newest first; `older_than` continues behind one already seen."""
    query = select(purchases).where(purchases.c.user_id == user_id)
    paged = newest_first(query, purchases.c.created_at, purchases.c.id, older_than=older_than)
    return [_purchase(row) for row in reader.run(paged.limit(limit).offset(offset))]


def attach(store: Store, purchase_id: UUID, payment: StripeObjects) -> None:
    """Write down the objects that were created at Stripe for a purchase."""
    store.run(
        update(purchases)
        .where(purchases.c.id == purchase_id)
        .values(
            stripe_customer_id=payment.customer_id,
            stripe_payment_intent_id=payment.payment_intent_id or purchases.c.stripe_payment_intent_id,
            stripe_checkout_session_id=payment.checkout_session_id,
            client_secret=payment.client_secret,
            checkout_url=payment.checkout_url,
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


def of_payment(reader: Reader, payment_intent_id: str) -> UUID | None:
    """Find the purchase that a PaymentIntent pays; `None` if the PaymentIntent is not known here."""
    query = select(purchases.c.id).where(purchases.c.stripe_payment_intent_id == payment_intent_id)
    purchase_id: UUID | None = reader.run(query).scalar()
    return purchase_id


def abandoned(reader: Reader, *, before: datetime, without: str, most: int) -> list[UUID]:
    """Find the oldest unpaid purchases that were created before a moment.

    Args:
        without: Leaves out those with a job of the key `<without>:<purchase>`.
    """
    has_job = select(jobs.c.id).where(jobs.c.key == func.concat(without, ":", purchases.c.id)).exists()
    unpaid = purchases.c.status.in_([literal_column("'pending'"), literal_column("'failed'")])  # as the index has them
    query = select(purchases.c.id).where(unpaid, purchases.c.created_at < before, ~has_job)
    return list(reader.run(query.order_by(purchases.c.created_at).limit(most)).scalars())


def prune(store: Store, *, before: datetime, most: int) -> int:
    """Delete at most `most` cancelled purchases that were created before a moment; returns how many."""
    cancelled = purchases.c.status == literal_column("'cancelled'")  # as the index has it
    old = select(purchases.c.id).where(cancelled, purchases.c.created_at < before)
    batch = old.order_by(purchases.c.created_at).limit(most).with_for_update(skip_locked=True)
    deleted: int = store.run(purchases.delete().where(purchases.c.id.in_(batch))).rowcount
    return deleted


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
