"""The tables of gifts, holds and usage statistics as SQLAlchemy sees them; see `domain.store.tables`."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from domain.store.tables import metadata


def _instant(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


def _user(name: str, constraint: str) -> Column[Any]:
    return Column(name, Text, ForeignKey("credits.balances.user_id", name=constraint), nullable=False)


gift_codes = Table(
    "gift_codes",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("code", Text, nullable=False),
    _user("creator_id", "gift_codes_creator_id_fkey"),
    Column("creator_name", Text),
    Column("total_credits", BigInteger, nullable=False),
    Column("redeemed", SmallInteger, nullable=False, server_default="0"),
    Column("type", Text, nullable=False),
    Column("status", Text, nullable=False, server_default="active"),
    Column("target_email", Text),
    Column("target_address", Text),
    Column("message", Text),
    Column("source_app_id", Text),
    _instant("expires_at"),
    _instant("created_at"),
    _instant("updated_at"),
    UniqueConstraint("code", name="gift_codes_code_key"),
    UniqueConstraint("id", "total_credits", name="gift_codes_size_key"),
    Index("gift_codes_creator", "creator_id", text("created_at DESC"), text("id DESC")),
    Index("gift_codes_target", "target_address", postgresql_where=text("status = 'active'")),
    Index("gift_codes_due", "expires_at", "id", postgresql_where=text("status = 'active'")),
    schema="gifts",
)

gift_redemptions = Table(
    "gift_redemptions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("gift_code_id", Uuid, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("credits_received", BigInteger, nullable=False),
    Column("transaction_id", Uuid, nullable=False),
    Column("source_app_id", Text),
    _instant("created_at"),
    ForeignKeyConstraint(
        ["gift_code_id", "credits_received"],
        ["gifts.gift_codes.id", "gifts.gift_codes.total_credits"],
        name="gift_redemptions_gift_fkey",
    ),
    UniqueConstraint("gift_code_id", name="gift_redemptions_gift_code_id_key"),
    UniqueConstraint("transaction_id", name="gift_redemptions_transaction_id_key"),
    Index("gift_redemptions_user", "user_id", text("created_at DESC"), text("id DESC")),
    schema="gifts",
)

reservations = Table(
    "reservations",
    metadata,
    Column("id", Uuid, primary_key=True),
    _user("user_id", "reservations_user_id_fkey"),
    Column("amount", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("status", Text, nullable=False, server_default="open"),
    Column("committed_amount", BigInteger),
    _instant("expires_at"),
    _instant("created_at"),
    _instant("ended_at", nullable=True),
    Index("reservations_due", "expires_at", "id", postgresql_where=text("status = 'open'")),
    Index("reservations_user", "user_id", text("created_at DESC")),
    schema="credits",
)

usage_watermarks = Table(
    "usage_watermarks",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False, server_default="0"),
    schema="credits",
)

usage_stats = Table(
    "usage_stats",
    metadata,
    Column(
        "user_id",
        Text,
        ForeignKey("credits.usage_watermarks.user_id", name="usage_stats_user_id_fkey"),
        primary_key=True,
    ),
    Column("day", Date, primary_key=True),
    Column("app_id", Text, primary_key=True),
    Column("credits", BigInteger, nullable=False),
    Column("uses", BigInteger, nullable=False),
    schema="credits",
)
