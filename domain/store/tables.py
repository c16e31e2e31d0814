"""The tables as SQLAlchemy sees them. The migrations make them; `alembic check` proves that both agree.

Check constraints, triggers and functions stand in the migrations only.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

SCHEMA_REVISION = "0005"
"""The migration this code needs. The service refuses to run on an older database."""

metadata = MetaData()


def _instant(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


def _text(name: str, *, nullable: bool = False, default: str | None = None) -> Column[Any]:
    return Column(name, Text, nullable=nullable, server_default=default)


def _number(name: str, *, default: int | None = None) -> Column[Any]:
    return Column(name, BigInteger, nullable=False, server_default=None if default is None else str(default))


def _json(name: str, *, nullable: bool = True) -> Column[Any]:
    return Column(name, JSONB(none_as_null=True), nullable=nullable)


balances = Table(
    "balances",
    metadata,
    Column("user_id", Text, primary_key=True),
    _number("balance", default=0),
    _number("total_earned", default=0),
    _number("total_spent", default=0),
    _number("version", default=0),
    _instant("created_at"),
    _instant("updated_at"),
    schema="credits",
)

transactions = Table(
    "transactions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("user_id", Text, ForeignKey("credits.balances.user_id", name="transactions_user_id_fkey"), nullable=False),
    _number("seq"),
    _text("type"),
    _text("status", default="completed"),
    _number("amount"),
    _number("balance_before"),
    _number("balance_after"),
    _number("total_earned"),
    _number("total_spent"),
    _text("app_id"),
    _text("counterparty"),
    _text("description"),
    _json("metadata"),
    _text("movement_key"),
    _text("idempotency_key", nullable=True),
    Column("request_hash", LargeBinary),
    _instant("created_at"),
    _instant("completed_at"),
    UniqueConstraint("user_id", "seq", name="transactions_seq_key"),
    UniqueConstraint("user_id", "movement_key", name="transactions_movement_key"),
    schema="credits",
)

packages = Table(
    "packages",
    metadata,
    Column("id", Uuid, primary_key=True),
    _text("name"),
    _text("description", default=""),
    _number("credits"),
    _number("price_euro_cents"),
    _text("stripe_price_id", nullable=True),
    Column("active", Boolean, nullable=False, server_default=text("true")),
    Column("sort_order", Integer, nullable=False, server_default="0"),
    _json("metadata"),
    _instant("created_at"),
    _instant("updated_at"),
    UniqueConstraint("name", name="packages_name_key"),
    schema="credits",
)

purchases = Table(
    "purchases",
    metadata,
    Column("id", Uuid, primary_key=True),
    _text("user_id"),
    Column("package_id", Uuid, ForeignKey("credits.packages.id", name="purchases_package_id_fkey"), nullable=False),
    _text("package_name"),
    _number("credits"),
    _number("price_euro_cents"),
    _text("status", default="pending"),
    _text("success_url", nullable=True),
    _text("cancel_url", nullable=True),
    _text("stripe_customer_id", nullable=True),
    _text("stripe_payment_intent_id", nullable=True),
    _text("stripe_checkout_session_id", nullable=True),
    _text("client_secret", nullable=True),
    _text("checkout_url", nullable=True),
    _json("metadata"),
    _instant("created_at"),
    _instant("completed_at", nullable=True),
    _number("refunded_euro_cents", default=0),
    _number("taken_back_credits", default=0),
    Column("takeback_movements", Integer, nullable=False, server_default="0"),
    UniqueConstraint("stripe_payment_intent_id", name="purchases_payment_intent_key"),
    UniqueConstraint("stripe_checkout_session_id", name="purchases_checkout_session_key"),
    Index("purchases_user", "user_id", text("created_at DESC"), text("id DESC")),
    Index("purchases_unpaid", "created_at", postgresql_where=text("status IN ('pending', 'failed')")),
    schema="credits",
)

stripe_customers = Table(
    "stripe_customers",
    metadata,
    Column("user_id", Text, primary_key=True),
    _text("stripe_customer_id"),
    _instant("created_at"),
    UniqueConstraint("stripe_customer_id", name="stripe_customers_stripe_customer_id_key"),
    schema="credits",
)

stripe_requests = Table(
    "stripe_requests",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("generation", Integer, nullable=False, server_default="0"),
    _instant("first_at"),
    Column("spent", Boolean, nullable=False, server_default=text("false")),
    schema="credits",
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Uuid, primary_key=True),
    _text("kind"),
    _text("queue"),
    _text("key"),
    _text("user_id", nullable=True),
    _json("payload", nullable=False),
    Column("request_hash", LargeBinary),
    _text("request_id", nullable=True),
    _text("state", default="pending"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("starts", Integer, nullable=False, server_default="0"),
    _instant("next_at"),
    _instant("enqueued_at"),
    Column("lease_token", Uuid),
    _instant("leased_until", nullable=True),
    _json("result"),
    _json("problem"),
    _instant("created_at"),
    _instant("finished_at", nullable=True),
    UniqueConstraint("key", name="jobs_key_key"),
    Index("jobs_due", "next_at", postgresql_where=text("state = 'pending'")),
    Index("jobs_waiting", "created_at", postgresql_where=text("state = 'pending'")),
    Index("jobs_state", "state", text("finished_at DESC"), postgresql_where=text("state <> 'pending'")),
    Index("jobs_user", "user_id", text("created_at DESC"), postgresql_where=text("user_id IS NOT NULL")),
    Index(
        "jobs_charging_runs",
        "created_at",
        postgresql_where=text("kind = 'charge_recurring' AND state = 'pending'"),
    ),
    schema="jobs",
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column(
        "job_id",
        Uuid,
        ForeignKey("jobs.jobs.id", name="attempts_job_id_fkey", ondelete="CASCADE"),
        nullable=False,
    ),
    _text("worker"),
    _text("error_class"),
    _text("message"),
    _text("traceback"),
    _instant("failed_at"),
    Index("attempts_job", "job_id", "failed_at"),
    schema="jobs",
)
