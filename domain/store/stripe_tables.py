"""The tables that follow what Stripe tells beyond the payment itself; see `tables` for the others."""

from sqlalchemy import BigInteger, Column, DateTime, ForeignKey, Index, Table, Text, Uuid

from domain.store.tables import metadata

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

stripe_cursors = Table(
    "stripe_cursors",
    metadata,
    Column("name", Text, primary_key=True),
    Column("seen_until", DateTime(timezone=True), nullable=False),
    schema="credits",
)
