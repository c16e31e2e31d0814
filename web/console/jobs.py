"""The console's pages about jobs: find, inspect, retry and discard them, as the admin API does."""

from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from flask import Response, g, redirect, request
from pydantic import ValidationError
from werkzeug.wrappers import Response as BaseResponse

from domain.errors import JobStateRefused
from domain.operations import job_repair
from domain.rules.acts import WHY_MAX
from domain.rules.job_kinds import KINDS
from domain.rules.job_repair import retryable
from domain.rules.job_search import JobFilter
from domain.rules.jobs import JobState
from domain.rules.texts import clean_text
from domain.store import job_search
from web.console import sessions
from web.console.page import api, page
from web.http.body import invalid
from web.http.parts import current_parts
from web.http.problems import BadRequest
from web.shared import job_acts
from web.shared.jobs import Filter, without_secrets

ROWS: Final = 50
_DASHBOARD: Final = "https://dashboard.stripe.com"
_STRIPE_PAGES: Final = {"pi_": "payments", "ch_": "payments", "evt_": "events", "cus_": "customers"}


@api.get("/jobs")
def list_jobs() -> Response:
    """Show jobs that match, newest first."""
    job_filter, before, filters = _job_filter(), _before(), Filter.values_in(request.args)
    with current_parts().database.read() as reader:
        rows = job_search.find(reader, job_filter, limit=ROWS, before=before)
    older_page = urlencode({**filters, "before": str(rows[-1].job.id)}) if len(rows) == ROWS else None
    return page("jobs.html", jobs=rows, filters=filters, older_page=older_page, states=list(JobState), kinds=KINDS)


@api.get("/jobs/<uuid:job_id>")
def show_job(job_id: UUID) -> Response:
    """Show everything about a job."""
    return _job_page(job_id)


@api.post("/jobs/<uuid:job_id>/retry")
def retry(job_id: UUID) -> BaseResponse:
    """Retry a job."""
    job_acts.retry(job_id, who=g.operator, why=_why())
    return redirect(f"{sessions.PATH}/jobs/{job_id}", 303)


@api.post("/jobs/<uuid:job_id>/discard")
def discard(job_id: UUID) -> BaseResponse:
    """Discard a job; without a reason the page asks for it."""
    if not _why():
        return _job_page(job_id, status=400, refusal="Say why the job is discarded")
    job_acts.discard(job_id, who=g.operator, why=_why())
    return redirect(f"{sessions.PATH}/jobs/{job_id}", 303)


@api.get("/retry")
def confirm_retry() -> Response:
    """Show which jobs a retry of all that match would take: the dry run."""
    job_filter = retryable(_job_filter())
    with current_parts().database.read() as reader:
        matched, causes = job_search.count(reader, job_filter), job_search.causes(reader, job_filter)
    return page("retry.html", matched=matched, causes=causes, filters=Filter.values_in(request.args))


@api.post("/retry")
def retry_all() -> BaseResponse:
    """Record the job that retries all that match, and show it."""
    parts = current_parts()
    with parts.database.begin() as store:
        run = job_repair.retry_all(store, _job_filter(), who=g.operator, why=_why(), now=datetime.now(UTC))
    parts.bell.ring(run)
    return redirect(f"{sessions.PATH}/jobs/{run.id}", 303)


def _job_page(job_id: UUID, *, status: int = 200, refusal: str | None = None) -> Response:
    with current_parts().database.read() as reader:
        sheet = job_search.sheet(reader, job_id)
    job = sheet.found.job
    return page(
        "job.html",
        status=status,
        refusal=refusal,
        sheet=sheet,
        payload=without_secrets(job.payload),
        result=without_secrets(job.result or {}),
        stripe=[(stripe_id, _stripe_page(stripe_id)) for stripe_id in sheet.stripe_ids],
        may_end=job.state in {JobState.FAILED, JobState.REJECTED},
    )


def _job_filter() -> JobFilter:
    """Read the filter in the query or form.

    Raises:
        BadRequest: a member is not valid.
    """
    values = Filter.values_in(request.values)
    try:
        return Filter.model_validate(values, by_alias=True, by_name=False).to_job_filter()
    except ValidationError as error:
        raise invalid(error, "filter") from None


def _before() -> UUID | None:
    try:
        return UUID(request.args["before"]) if "before" in request.args else None
    except ValueError:
        raise BadRequest("`before` is not the id of a job") from None


def _why() -> str:
    why = clean_text(request.form.get("why", "").strip())
    if len(why) > WHY_MAX:
        raise JobStateRefused(f"A reason has at most {WHY_MAX} characters")
    return why


def _stripe_page(stripe_id: str) -> str | None:
    """Find the page of an object on Stripe's dashboard, or of the local Stripe."""
    settings = current_parts().settings
    if settings.stripe_api_base is not None:
        return f"{settings.stripe_api_base}/"
    kind = next((page for prefix, page in _STRIPE_PAGES.items() if stripe_id.startswith(prefix)), None)
    mode = "" if settings.stripe_livemode else "/test"
    return f"{_DASHBOARD}{mode}/{kind}/{stripe_id}" if kind else None
