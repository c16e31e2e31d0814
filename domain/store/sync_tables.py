"""The tables of Cloud Sync, on the same metadata as `domain.store.tables`."""

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Index, Table, Text, Uuid, text

from domain.store.tables import metadata

_INSTANT = DateTime(timezone=True)

sync_subscriptions = Table(
    "sync_subscriptions",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("active", Boolean, nullable=False, server_default=text("false")),
    Column("billing_interval", Text, nullable=False, server_default="monthly"),
    Column("amount_charged", BigInteger, nullable=False, server_default="30"),
    Column("activated_at", _INSTANT),
    Column("anchor_at", _INSTANT),
    Column("next_charge_at", _INSTANT),
    Column("paused_at", _INSTANT),
    Column("is_gifted", Boolean, nullable=False, server_default=text("false")),
    Column("gifted_by", Text),
    Column("gifted_at", _INSTANT),
    Column("created_at", _INSTANT, nullable=False, server_default=text("now()")),
    Column("updated_at", _INSTANT, nullable=False, server_default=text("now()")),
    Column("activation", BigInteger, nullable=False, server_default=text("nextval('credits.sync_activations')")),
    Column("period", BigInteger, nullable=False, server_default="0"),
    Column("auto_resume", Boolean, nullable=False, server_default=text("false")),
    Column("looked_ahead", Boolean, nullable=False, server_default=text("false")),
    Index("sync_subscriptions_due", "next_charge_at", "user_id", postgresql_where=text("active AND NOT is_gifted")),
    Index(
        "sync_subscriptions_unforeseen",
        "next_charge_at",
        postgresql_where=text("active AND NOT is_gifted AND NOT looked_ahead"),
    ),
    Index(
        "sync_subscriptions_resumable",
        "user_id",
        postgresql_where=text("auto_resume AND NOT active AND NOT is_gifted AND paused_at IS NOT NULL"),
    ),
    schema="credits",
)

sync_gift_audit = Table(
    "sync_gift_audit",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("admin_id", Text, nullable=False),
    Column("acted_at", _INSTANT, nullable=False),
    Index("sync_gift_audit_user", "user_id", "acted_at"),
    schema="credits",
)
