"""Jobs for operators: find, inspect, retry and discard them. Every act is recorded with who, when and why."""

from datetime import UTC, datetime
from typing import Annotated, Any, Self
from uuid import UUID

from flask import g, request
from pydantic import Field, StringConstraints

from domain.errors import JobStateRefused, NotFound
from domain.operations import job_repair
from domain.rules.acts import WHY_MAX, ActKind
from domain.rules.job_repair import retryable
from domain.rules.job_search import Cause, FoundJob, failed_only
from domain.rules.jobs import JobState
from domain.store import job_search
from domain.store.job_search import JobSheet
from web.http import auth
from web.http.answer import Answer
from web.http.api import Api
from web.http.lists import answer_page, bad_cursor, decode_cursor
from web.http.models import CLEANED, Instant, JsonObject, ListQuery, Model, Problem
from web.http.parts import current_parts
from web.http.problems import job_problem
from web.http.waiting import job_url
from web.shared import job_acts
from web.shared.credits import Transaction
from web.shared.jobs import Filter, JobKindName, without_secrets

api = Api("admins_jobs", auth.admin, prefix="/api/v1/admin")

Why = Annotated[str, StringConstraints(max_length=WHY_MAX), CLEANED]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=WHY_MAX), CLEANED]


class JobsQuery(ListQuery, Filter):
    """A filter, the page's size and its cursor. There is no offset."""

    offset: Annotated[int, Field(ge=0, le=0)] = 0


class AdminJob(Model):
    """A job. `error` is the class of its last error, or the code of its problem."""

    job_id: UUID
    kind: str
    queue: str
    key: str
    user_id: str | None
    status: JobState
    attempts: int
    starts: int
    error: str | None
    message: str | None
    problem: Problem | None
    created_at: Instant
    finished_at: Instant | None

    @classmethod
    def from_job(cls, found: FoundJob, **further_members: Any) -> Self:
        """Show a job with its last error."""
        job = found.job
        return cls(
            job_id=job.id,
            kind=job.kind.name,
            queue=job.queue.value,
            key=job.key,
            user_id=job.user_id,
            status=job.state,
            attempts=job.attempts,
            starts=job.starts,
            error=found.error,
            message=found.message,
            problem=job_problem(job.problem) if job.problem else None,
            created_at=job.created_at,
            finished_at=job.finished_at,
            **further_members,
        )


class FailedTry(Model):
    """A failed attempt at a job."""

    worker: str
    error_class: str
    message: str
    traceback: str
    failed_at: Instant


class ActTaken(Model):
    """What an operator did with a job. `runId` is the `retry-all` job that did it."""

    act: ActKind
    who: str
    why: str
    at: Instant
    run_id: UUID | None


class AdminJobSheet(AdminJob):
    """Everything about a job. Secrets in `payload` and `result` are left out."""

    payload: JsonObject
    result: JsonObject | None
    tries: list[FailedTry]
    transactions: list[Transaction]
    stripe_ids: list[str]
    acts: list[ActTaken]

    @classmethod
    def from_sheet(cls, sheet: JobSheet) -> Self:
        """Show everything about a job."""
        job = sheet.found.job
        return cls.from_job(
            sheet.found,
            payload=without_secrets(job.payload),
            result=without_secrets(job.result) if job.result is not None else None,
            tries=[FailedTry.model_validate(attempt) for attempt in sheet.attempts],
            transactions=[Transaction.model_validate(row) for row in sheet.transactions],
            stripe_ids=list(sheet.stripe_ids),
            acts=[ActTaken.model_validate(act) for act in sheet.acts],
        )


class Group(Model):
    """Jobs that ended with the same error: how many, in which hours, and the id of one of them."""

    kind: JobKindName
    state: JobState
    error: str
    message: str
    count: int
    first_at: Instant
    last_at: Instant
    hours: dict[str, int]
    sample: UUID

    @classmethod
    def from_cause(cls, cause: Cause) -> Self:
        """Show a group."""
        members = {name: getattr(cause, name) for name in cls.model_fields}
        return cls(**members | {"kind": cause.kind.name, "hours": dict(cause.hours)})


class RetryOne(Model):
    """Why a job is retried."""

    reason: Why = ""


class Discard(Model):
    """Why a job is discarded."""

    reason: Reason


class RetryMany(Model):
    """Which jobs to retry; with `dryRun` they are only counted."""

    filter: Filter
    dry_run: bool = False
    reason: Why = ""


class RetryRun(Model):
    """The jobs that match, and the job that retries them; there is none after a dry run."""

    dry_run: bool
    matched: int
    groups: list[Group]
    job_id: UUID | None = None
    status_url: str | None = None


@api.operation("GET", "/jobs", answers=list[AdminJob])
def list_jobs(query: JobsQuery) -> Answer:
    """Read jobs, newest first."""
    before = _read_job_id(query.cursor) if query.cursor is not None else None
    with current_parts().database.read() as reader:
        jobs = job_search.find(reader, query.to_job_filter(), limit=query.limit, before=before)
    last = str(jobs[-1].job.id) if jobs else None
    filters = Filter.values_in(request.args)
    return answer_page([AdminJob.from_job(job) for job in jobs], query, last=last, filters=filters)


@api.operation("GET", "/jobs/groups", answers=list[Group])
def list_job_groups(query: Filter) -> list[Group]:
    """Read failed jobs (or those of the state in the query), grouped by their error, largest group first."""
    with current_parts().database.read() as reader:
        return [Group.from_cause(cause) for cause in job_search.causes(reader, failed_only(query.to_job_filter()))]


@api.operation("GET", "/jobs/<uuid:job_id>", answers=AdminJobSheet, refusals=[NotFound])
def inspect_job(job_id: UUID) -> AdminJobSheet:
    """Read everything about a job: its failed attempts, the ledger rows it is linked to, what operators did with it."""
    with current_parts().database.read() as reader:
        return AdminJobSheet.from_sheet(job_search.sheet(reader, job_id))


@api.operation("POST", "/jobs/<uuid:job_id>/retry", answers=AdminJobSheet, refusals=[NotFound, JobStateRefused])
def retry_job(job_id: UUID, body: RetryOne | None) -> AdminJobSheet:
    """Set a failed or rejected job to pending; a pending one that waits becomes due now."""
    return AdminJobSheet.from_sheet(job_acts.retry(job_id, who=g.user.id, why=body.reason if body else ""))


@api.operation("POST", "/jobs/<uuid:job_id>/discard", answers=AdminJobSheet, refusals=[NotFound, JobStateRefused])
def discard_job(job_id: UUID, body: Discard) -> AdminJobSheet:
    """Discard a failed or rejected job. It never runs again."""
    return AdminJobSheet.from_sheet(job_acts.discard(job_id, who=g.user.id, why=body.reason))


@api.operation("POST", "/jobs/retry", answers=RetryRun, also={202: RetryRun}, refusals=[JobStateRefused])
def retry_jobs(body: RetryMany) -> Answer:
    """Retry every failed job that matches, 20 a second, in a job of its own; 202 with its address.

    The run stops itself when more than 20 % of what it retried fails again. With `dryRun` nothing is changed: 200.
    """
    parts, filters = current_parts(), retryable(body.filter.to_job_filter())
    with parts.database.begin() as store:
        matched = job_search.count(store, filters)
        groups = [Group.from_cause(cause) for cause in job_search.causes(store, filters)]
        if body.dry_run:
            return Answer(body=RetryRun(dry_run=True, matched=matched, groups=groups))
        run = job_repair.retry_all(store, filters, who=g.user.id, why=body.reason, now=datetime.now(UTC))
    parts.bell.ring(run)
    url = job_url(run.id)
    started = RetryRun(dry_run=False, matched=matched, groups=groups, job_id=run.id, status_url=url)
    return Answer(body=started, status=202, headers={"Location": url, "Retry-After": "1"})


def _read_job_id(cursor: str) -> UUID:
    try:
        return UUID(decode_cursor(cursor))
    except ValueError:
        raise bad_cursor() from None
