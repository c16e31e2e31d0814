"""Jobs, as operators see and repair them. Every act is written down with who, when and why."""

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
from web.http.lists import bad_cursor, decode, page_of
from web.http.models import Instant, JsonObject, Model, Page, Problem
from web.http.parts import current_parts
from web.http.problems import of_job
from web.http.waiting import job_url
from web.shared.credits import Transaction
from web.shared.jobs import Filter, JobKindName, without_secrets

api = Api("admins_jobs", auth.admin, prefix="/api/v1/admin")

Why = Annotated[str, StringConstraints(max_length=WHY_MAX, pattern=r"^[^\x00]*$")]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=WHY_MAX, pattern=r"^[^\x00]*$")]


class JobsPage(Page, Filter):
    """A filter, and how much of the list from where. There is no offset: the cursor is the way through."""

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
    def of(cls, found: FoundJob) -> Self:
        """Tell a job."""
        return cls(**cls.members(found))

    @classmethod
    def members(cls, found: FoundJob) -> dict[str, Any]:
        """Read the members that a job in a list has."""
        job = found.job
        return {
            "job_id": job.id,
            "kind": job.kind.name,
            "queue": job.queue.value,
            "key": job.key,
            "user_id": job.user_id,
            "status": job.state,
            "attempts": job.attempts,
            "starts": job.starts,
            "error": found.error,
            "message": found.message,
            "problem": of_job(job.problem) if job.problem else None,
            "created_at": job.created_at,
            "finished_at": job.finished_at,
        }


class FailedTry(Model):
    """A try that failed."""

    worker: str
    error_class: str
    message: str
    traceback: str
    failed_at: Instant


class ActTaken(Model):
    """What an operator did with a job. `runId` is the retry-all job that did it."""

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
    def whole(cls, sheet: JobSheet) -> Self:
        """Tell everything."""
        job = sheet.found.job
        return cls(
            **cls.members(sheet.found),
            payload=without_secrets(job.payload),
            result=without_secrets(job.result) if job.result is not None else None,
            tries=[FailedTry.model_validate(one) for one in sheet.attempts],
            transactions=[Transaction.model_validate(one) for one in sheet.transactions],
            stripe_ids=list(sheet.stripe_ids),
            acts=[ActTaken.model_validate(one) for one in sheet.acts],
        )


class Group(Model):
    """Jobs that ended alike: how many, in which hours, and one of them."""

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
    def of(cls, cause: Cause) -> Self:
        """Tell a group."""
        facts = {name: getattr(cause, name) for name in cls.model_fields}
        return cls(**facts | {"kind": cause.kind.name, "hours": dict(cause.hours)})


class RetryOne(Model):
    """Why a job is retried."""

    reason: Why = ""


class Discard(Model):
    """Why a job is given up."""

    reason: Reason


class RetryMany(Model):
    """Which jobs to retry; with `dryRun`, only how many they are."""

    filter: Filter
    dry_run: bool = False
    reason: Why = ""


class RetryRun(Model):
    """What matches, and the job that retries it; none after a dry run."""

    dry_run: bool
    matched: int
    groups: list[Group]
    job_id: UUID | None = None
    status_url: str | None = None


@api.operation("GET", "/jobs", answers=list[AdminJob])
def list_jobs(query: JobsPage) -> Answer:
    """Read jobs, newest first."""
    before = _position(query.cursor) if query.cursor is not None else None
    with current_parts().database.read() as reader:
        found = job_search.find(reader, query.meant(), limit=query.limit, before=before)
    last = str(found[-1].job.id) if found else None
    names = [field.alias or name for name, field in Filter.model_fields.items()]
    filters = {name: request.args[name] for name in names if name in request.args}
    return page_of([AdminJob.of(one) for one in found], query, last=last, filters=filters)


@api.operation("GET", "/jobs/groups", answers=list[Group])
def list_job_groups(query: Filter) -> list[Group]:
    """Read what went wrong: failed jobs (or those of the state asked for), grouped, largest group first."""
    with current_parts().database.read() as reader:
        return [Group.of(cause) for cause in job_search.causes(reader, failed_only(query.meant()))]


@api.operation("GET", "/jobs/<uuid:job_id>", answers=AdminJobSheet, refusals=[NotFound])
def inspect_job(job_id: UUID) -> AdminJobSheet:
    """Read everything about a job: its failed tries, the ledger rows it is linked to, what operators did with it."""
    with current_parts().database.read() as reader:
        return AdminJobSheet.whole(job_search.sheet(reader, job_id))


@api.operation("POST", "/jobs/<uuid:job_id>/retry", answers=AdminJobSheet, refusals=[NotFound, JobStateRefused])
def retry_job(job_id: UUID, body: RetryOne | None) -> AdminJobSheet:
    """Set a failed or rejected job to pending; a pending one that rests becomes due now."""
    parts, why = current_parts(), body.reason if body else ""
    with parts.database.begin() as store:
        retried = job_repair.retry_job(store, job_id, who=g.user.id, why=why, now=datetime.now(UTC))
        sheet = job_search.sheet(store, job_id)
    parts.bell.ring(retried)
    return AdminJobSheet.whole(sheet)


@api.operation("POST", "/jobs/<uuid:job_id>/discard", answers=AdminJobSheet, refusals=[NotFound, JobStateRefused])
def discard_job(job_id: UUID, body: Discard) -> AdminJobSheet:
    """Give a failed or rejected job up for ever."""
    with current_parts().database.begin() as store:
        job_repair.discard_job(store, job_id, who=g.user.id, why=body.reason, now=datetime.now(UTC))
        sheet = job_search.sheet(store, job_id)
    return AdminJobSheet.whole(sheet)


@api.operation("POST", "/jobs/retry", answers=RetryRun, also={202: RetryRun}, refusals=[JobStateRefused])
def retry_jobs(body: RetryMany) -> Answer:
    """Retry every failed job that matches, 20 a second, in a job of its own; 202 with where to follow it.

    The run stops itself when more than 20 % of what it retried fails again. With `dryRun` nothing is done: 200.
    """
    parts, wanted = current_parts(), retryable(body.filter.meant())
    with parts.database.begin() as store:
        matched = job_search.count(store, wanted)
        found = [Group.of(cause) for cause in job_search.causes(store, wanted)]
        if body.dry_run:
            return Answer(body=RetryRun(dry_run=True, matched=matched, groups=found))
        run = job_repair.retry_all(store, wanted, who=g.user.id, why=body.reason, now=datetime.now(UTC))
    parts.bell.ring(run)
    url = job_url(run.id)
    told = RetryRun(dry_run=False, matched=matched, groups=found, job_id=run.id, status_url=url)
    return Answer(body=told, status=202, headers={"Location": url, "Retry-After": "1"})


def _position(cursor: str) -> UUID:
    try:
        return UUID(decode(cursor))
    except ValueError:
        raise bad_cursor() from None
