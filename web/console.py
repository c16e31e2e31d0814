"""The operators' console at `/ops`: pages that need no script. What they show and do is what the admin API does."""

from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from flask import Response, g, make_response, redirect, render_template, request
from pydantic import ValidationError
from werkzeug.wrappers import Response as BaseResponse

from domain.errors import Busy, JobStateRefused, Refusal, Unavailable
from domain.operations import operators as acts
from domain.rules.jobs import JobKind, JobState
from domain.rules.operators import WHY_MAX, JobFilter, retryable
from domain.store import UnfitDatabase
from domain.store.gauges import read_gauges
from domain.store.invariants import INVARIANTS
from domain.store.overview import read_overview
from web.admin_jobs import Filter, without_secrets
from web.charts import day_chart
from web.http import auth, sessions
from web.http.api import Api
from web.http.body import invalid
from web.http.problems import HTTP_STATUSES, BadRequest, Forbidden, Unauthorized
from web.http.surroundings import surroundings

api = Api("console", sessions.operator, prefix=sessions.PATH)
door = Api("console_door", auth.public, prefix=sessions.PATH)

ROWS: Final = 50
POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_DASHBOARD: Final = "https://dashboard.stripe.com"
_STRIPE_PAGES: Final = {"pi_": "payments", "ch_": "payments", "evt_": "events", "cus_": "customers"}


@door.get("/login")
def login() -> Response:
    """Ask for an admin's token."""
    return _page("login.html")


@door.post("/login")
def enter() -> BaseResponse:
    """Open a session for an admin's token."""
    sessions.refuse_foreign_form()
    token = request.form.get("token", "").strip()
    try:
        user = surroundings().tokens.user_of(token)
    except Unauthorized as refusal:
        return _page("login.html", status=HTTP_STATUSES[refusal.code], refusal=refusal.detail)
    if not user.is_admin:
        return _page("login.html", status=HTTP_STATUSES[Forbidden.code], refusal="Only for administrators")
    answer = redirect(sessions.PATH, 303)
    sessions.open_session(answer, user, token)  # type: ignore[arg-type] # Flask's own response class
    return answer


@api.post("/logout")
def leave() -> BaseResponse:
    """End the session."""
    answer = redirect(sessions.LOGIN, 303)
    sessions.close_session(answer)  # type: ignore[arg-type]
    return answer


@api.get("")
def overview() -> Response:
    """Show the state of the house, what failed, and what the day has brought."""
    around, now = surroundings(), datetime.now(UTC)
    with around.database.single() as store:
        gauges, house = read_gauges(store), read_overview(store, now=now)
        causes = acts.causes(store, JobFilter(state=JobState.FAILED))
        done = acts.latest_acts(store, limit=10)
    return _page(
        "overview.html",
        gauges=gauges,
        house=house,
        causes=causes,
        acts=done,
        redis=around.bell.is_working(),
        invariants=[(one, gauges.violations.get(one.name, 0)) for one in INVARIANTS],
        charts=[day_chart("Sales today", house.sales, euro=True), day_chart("Renewals today", house.renewals)],
        now=now,
    )


@api.get("/jobs")
def jobs() -> Response:
    """Show jobs that match, newest first."""
    wanted, before = _filter(), _before()
    with surroundings().database.single() as store:
        found = acts.find_jobs(store, wanted, limit=ROWS, before=before)
    further = urlencode({**_asked(), "before": str(found[-1].job.id)}) if len(found) == ROWS else None
    return _page("jobs.html", found=found, asked=_asked(), further=further, states=list(JobState), kinds=list(JobKind))


@api.get("/jobs/<uuid:job_id>")
def job(job_id: UUID) -> Response:
    """Show everything about a job."""
    return _job_page(job_id)


@api.post("/jobs/<uuid:job_id>/retry")
def retry(job_id: UUID) -> BaseResponse:
    """Retry a job."""
    around = surroundings()
    with around.database.begin() as store:
        retried = acts.retry_job(store, job_id, who=g.operator, why=_why(), now=datetime.now(UTC))
    around.bell.ring(retried)
    return redirect(f"{sessions.PATH}/jobs/{job_id}", 303)


@api.post("/jobs/<uuid:job_id>/discard")
def discard(job_id: UUID) -> BaseResponse:
    """Give a job up; without a reason the page asks for one."""
    if not _why():
        return _job_page(job_id, status=400, refusal="Say why the job is given up")
    with surroundings().database.begin() as store:
        acts.discard_job(store, job_id, who=g.operator, why=_why(), now=datetime.now(UTC))
    return redirect(f"{sessions.PATH}/jobs/{job_id}", 303)


@api.get("/retry")
def ask() -> Response:
    """Show what a retry of all that match would do: the dry run."""
    wanted = retryable(_filter())
    with surroundings().database.single() as store:
        matched, causes = acts.count_jobs(store, wanted), acts.causes(store, wanted)
    return _page("retry.html", matched=matched, causes=causes, asked=_asked())


@api.post("/retry")
def retry_all() -> BaseResponse:
    """Record the run that retries all that match, and show it."""
    around = surroundings()
    with around.database.begin() as store:
        run = acts.retry_all(store, _filter(), who=g.operator, why=_why(), now=datetime.now(UTC))
    around.bell.ring(run)
    return redirect(f"{sessions.PATH}/jobs/{run.id}", 303)


@door.errorhandler(Refusal)
@api.errorhandler(Refusal)
def refused(refusal: Refusal) -> Response:
    """Tell a refusal as a page."""
    return _page("refused.html", status=HTTP_STATUSES[refusal.code], title=refusal.title, detail=refusal.detail)


@door.errorhandler(Busy)
@door.errorhandler(Unavailable)
@door.errorhandler(UnfitDatabase)
@api.errorhandler(Busy)
@api.errorhandler(Unavailable)
@api.errorhandler(UnfitDatabase)
def away(error: Exception) -> Response:
    """Tell that the database is away: what an operator needs to know most."""
    detail = f"{error}. See the runbook page database-down."
    return _page("refused.html", status=503, title="The database does not serve", detail=detail)


def _job_page(job_id: UUID, *, status: int = 200, refusal: str | None = None) -> Response:
    with surroundings().database.single() as store:
        sheet = acts.job_sheet(store, job_id)
    found = sheet.found.job
    return _page(
        "job.html",
        status=status,
        refusal=refusal,
        sheet=sheet,
        payload=without_secrets(found.payload),
        result=without_secrets(found.result or {}),
        stripe=[(one, _stripe_page(one)) for one in sheet.stripe_ids],
        may_end=found.state in {JobState.FAILED, JobState.REJECTED},
    )


def _page(template: str, *, status: int = 200, **facts: Any) -> Response:
    csrf, operator = g.get("csrf"), g.get("operator")
    page = make_response(render_template(f"ops/{template}", csrf=csrf, operator=operator, why_max=WHY_MAX, **facts))
    page.status_code = status
    page.headers["Content-Security-Policy"] = POLICY
    return page


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
    settings = surroundings().settings
    if settings.stripe_api_base is not None:
        return f"{settings.stripe_api_base}/"
    kind = next((page for prefix, page in _STRIPE_PAGES.items() if stripe_id.startswith(prefix)), None)
    mode = "" if settings.stripe_livemode else "/test"
    return f"{_DASHBOARD}{mode}/{kind}/{stripe_id}" if kind else None
