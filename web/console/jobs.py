"""The console's pages about jobs: find them, look at one, retry, give up. They do what the admin API does."""

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
from domain.store import job_search
from web.console import sessions
from web.console.page import api, page
from web.http.body import invalid
from web.http.parts import current_parts
from web.http.problems import BadRequest
from web.shared.jobs import Filter, without_secrets

ROWS: Final = 50
_DASHBOARD: Final = "https://dashboard.stripe.com"
_STRIPE_PAGES: Final = {"pi_": "payments", "ch_": "payments", "evt_": "events", "cus_": "customers"}


@api.get("/jobs")
def jobs() -> Response:
    """Show jobs that match, newest first."""
    wanted, before = _filter(), _before()
    with current_parts().database.read() as reader:
        found = job_search.find(reader, wanted, limit=ROWS, before=before)
    further = urlencode({**_asked(), "before": str(found[-1].job.id)}) if len(found) == ROWS else None
    return page("jobs.html", found=found, asked=_asked(), further=further, states=list(JobState), kinds=list(KINDS))


@api.get("/jobs/<uuid:job_id>")
def job(job_id: UUID) -> Response:
    """Show everything about a job."""
    return _job_page(job_id)


@api.post("/jobs/<uuid:job_id>/retry")
def retry(job_id: UUID) -> BaseResponse:
    """Retry a job."""
    parts = current_parts()
    with parts.database.begin() as store:
        retried = job_repair.retry_job(store, job_id, who=g.operator, why=_why(), now=datetime.now(UTC))
    parts.bell.ring(retried)
    return redirect(f"{sessions.PATH}/jobs/{job_id}", 303)


@api.post("/jobs/<uuid:job_id>/discard")
def discard(job_id: UUID) -> BaseResponse:
    """Give a job up; without a reason the page asks for one."""
    if not _why():
        return _job_page(job_id, status=400, refusal="Say why the job is given up")
    with current_parts().database.begin() as store:
        job_repair.discard_job(store, job_id, who=g.operator, why=_why(), now=datetime.now(UTC))
    return redirect(f"{sessions.PATH}/jobs/{job_id}", 303)


@api.get("/retry")
def ask() -> Response:
    """Show what a retry of all that match would do: the dry run."""
    wanted = retryable(_filter())
    with current_parts().database.read() as reader:
        matched, causes = job_search.count(reader, wanted), job_search.causes(reader, wanted)
    return page("retry.html", matched=matched, causes=causes, asked=_asked())


@api.post("/retry")
def retry_all() -> BaseResponse:
    """Record the run that retries all that match, and show it."""
    parts = current_parts()
    with parts.database.begin() as store:
        run = job_repair.retry_all(store, _filter(), who=g.operator, why=_why(), now=datetime.now(UTC))
    parts.bell.ring(run)
    return redirect(f"{sessions.PATH}/jobs/{run.id}", 303)


def _job_page(job_id: UUID, *, status: int = 200, refusal: str | None = None) -> Response:
    with current_parts().database.read() as reader:
        sheet = job_search.sheet(reader, job_id)
    found = sheet.found.job
    return page(
        "job.html",
        status=status,
        refusal=refusal,
        sheet=sheet,
        payload=without_secrets(found.payload),
        result=without_secrets(found.result or {}),
        stripe=[(one, _stripe_page(one)) for one in sheet.stripe_ids],
        may_end=found.state in {JobState.FAILED, JobState.REJECTED},
    )


def _asked() -> dict[str, str]:
    """Read the filter that a query or a form asks for, as it was written; empty fields ask for nothing."""
    names = [field.alias or name for name, field in Filter.model_fields.items()]
    return {name: request.values[name] for name in names if request.values.get(name)}


def _filter() -> JobFilter:
    try:
        return Filter.model_validate(_asked(), by_alias=True, by_name=False).meant()
    except ValidationError as error:
        raise invalid(error, "filter") from None


def _before() -> UUID | None:
    try:
        return UUID(request.args["before"]) if "before" in request.args else None
    except ValueError:
        raise BadRequest("That is no page of this list") from None


def _why() -> str:
    why = request.form.get("why", "").strip()
    if len(why) > WHY_MAX or "\x00" in why:
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
