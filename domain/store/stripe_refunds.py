"""What Stripe reported of refunds, disputes and early fraud warnings: the takebacks of each purchase."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, DateTime, ForeignKey, Index, Row, Table, Text, Uuid, select
from sqlalchemy.dialects.postgresql import insert

from domain.rules.stripe_refunds import Takeback, TakebackKind, TakebackState
from domain.store.database import Reader, Store
from domain.store.schema import metadata
from domain.units import EuroCents

stripe_takebacks = Table(
    "stripe_takebacks",
    metadata,
    Column("stripe_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column(
        "purchase_id",
        Uuid,
        ForeignKey("credits.purchases.id", name="stripe_takebacks_purchase_id_fkey"),
        nullable=False,
    ),
    Column("payment_intent_id", Text, nullable=False),
    Column("amount_euro_cents", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    Index("stripe_takebacks_purchase", "purchase_id"),
    schema="credits",
)


def find(reader: Reader, stripe_id: str) -> Takeback | None:
    """Read what is known of a refund, dispute or warning."""
    row = reader.first(select(stripe_takebacks).where(stripe_takebacks.c.stripe_id == stripe_id))
    return None if row is None else _takeback(row)


def of_purchase(reader: Reader, purchase_id: UUID) -> list[Takeback]:
    """Read the takebacks of a purchase, oldest first."""
    query = select(stripe_takebacks).where(stripe_takebacks.c.purchase_id == purchase_id)
    return [_takeback(row) for row in reader.run(query.order_by(stripe_takebacks.c.created_at))]


def put(store: Store, takeback: Takeback, *, now: datetime) -> None:
    """Write what is known of a refund, dispute or warning; its purchase is locked."""
    changeable = {"amount_euro_cents": takeback.amount, "state": takeback.state.value, "updated_at": now}
    fresh = insert(stripe_takebacks).values(
        stripe_id=takeback.stripe_id,
        kind=takeback.kind.value,
        purchase_id=takeback.purchase_id,
        payment_intent_id=takeback.payment_intent_id,
        created_at=now,
        **changeable,
    )
    store.run(fresh.on_conflict_do_update(constraint="stripe_takebacks_pkey", set_=changeable))


def _takeback(row: Row[Any]) -> Takeback:
    return Takeback(
        stripe_id=row.stripe_id,
        kind=TakebackKind(row.kind),
        purchase_id=row.purchase_id,
        payment_intent_id=row.payment_intent_id,
        amount=EuroCents(row.amount_euro_cents),
        state=TakebackState(row.state),
    )
