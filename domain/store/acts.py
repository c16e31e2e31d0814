"""What operators did. Rows are added and read; the database refuses everything else."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import Column, DateTime, Index, Row, Table, Text, Uuid, insert, select, text
from sqlalchemy.dialects.postgresql import JSONB

from domain.ids import new_id
from domain.rules.acts import Act, ActKind
from domain.rules.job_repair import Progress
from domain.store.database import Reader, Store
from domain.store.schema import metadata

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


_PROGRESS: Final = text("""
SELECT count(*) AS retried,
       count(*) FILTER (WHERE j.state <> 'pending' OR j.attempts > 0) AS tried,
       count(*) FILTER (WHERE j.state = 'failed' OR (j.state = 'pending' AND j.attempts > 0)) AS failing
FROM jobs.acts a JOIN jobs.jobs j ON j.id = a.job_id WHERE a.run_id = :run_id AND a.act = 'retry'
""")


def add(store: Store, new: Sequence[Act]) -> None:
    """Write acts down."""
    rows = [
        {
            "id": new_id(),
            "act": act.act.value,
            "who": act.who,
            "why": act.why,
            "job_id": act.job_id,
            "run_id": act.run_id,
            "user_id": act.user_id,
            "facts": dict(act.facts),
            "at": act.at,
        }
        for act in new
    ]
    if rows:
        store.run(insert(acts), rows)


def latest(reader: Reader, *, limit: int) -> list[Act]:
    """Read the latest acts of people, newest first; the single retries of a run are left out."""
    query = select(acts).where(acts.c.run_id.is_(None)).order_by(acts.c.at.desc()).limit(limit)
    return [_act(row) for row in reader.run(query)]


def of_job(reader: Reader, job_id: UUID) -> list[Act]:
    """Read what was done with a job, newest first."""
    query = select(acts).where(acts.c.job_id == job_id).order_by(acts.c.at.desc()).limit(100)
    return [_act(row) for row in reader.run(query)]


def progress(reader: Reader, run_id: UUID) -> Progress:
    """Count the jobs that a run has retried, and how they ended."""
    row = reader.run(_PROGRESS, {"run_id": run_id}).one()
    return Progress(retried=row.retried, tried=row.tried, failing=row.failing)


def _act(row: Row[tuple[object, ...]]) -> Act:
    return Act(
        act=ActKind(row.act),
        who=row.who,
        why=row.why,
        at=row.at,
        job_id=row.job_id,
        run_id=row.run_id,
        user_id=row.user_id,
        facts=row.facts,
    )
