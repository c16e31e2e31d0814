"""The table of what operators did, on the `metadata` of `domain.store.tables`."""

from sqlalchemy import Column, DateTime, Index, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from domain.store.tables import metadata

acts = Table(
    "acts",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("act", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("job_id", Uuid),
    Column("run_id", Uuid),
    Column("user_id", Text),
    Column("facts", JSONB(none_as_null=True), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Index("acts_job", "job_id", postgresql_where=text("job_id IS NOT NULL")),
    Index("acts_run", "run_id", postgresql_where=text("run_id IS NOT NULL")),
    Index("acts_at", text("at DESC")),
    schema="jobs",
)
