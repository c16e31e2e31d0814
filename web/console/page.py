"""What every page of the console has: its guard, its frame, and its page for refusals."""

from typing import Any, Final

from flask import Response, g, make_response, render_template

from domain.errors import Busy, Refusal, Unavailable
from domain.rules.acts import WHY_MAX
from domain.store import UnfitDatabase
from web.console import sessions
from web.http import auth
from web.http.api import Api
from web.http.problems import HTTP_STATUSES

api = Api("console", sessions.operator, prefix=sessions.PATH)
door = Api("console_door", auth.public, prefix=sessions.PATH)

POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def page(template: str, *, status: int = 200, **facts: Any) -> Response:
    """Answer with a page of the console.

    Args:
        facts: Variables of the template.
    """
    csrf, operator = g.get("csrf"), g.get("operator")
    answer = make_response(
        render_template(f"console/{template}", csrf=csrf, operator=operator, why_max=WHY_MAX, **facts)
    )
    answer.status_code = status
    answer.headers["Content-Security-Policy"] = POLICY
    return answer


@door.errorhandler(Refusal)
@api.errorhandler(Refusal)
def refused(refusal: Refusal) -> Response:
    """Show a refusal as a page."""
    return page("refused.html", status=HTTP_STATUSES[refusal.code], title=refusal.title, detail=refusal.detail)


@door.errorhandler(Busy)
@door.errorhandler(Unavailable)
@door.errorhandler(UnfitDatabase)
@api.errorhandler(Busy)
@api.errorhandler(Unavailable)
@api.errorhandler(UnfitDatabase)
def database_away(error: Exception) -> Response:
    """Show that the database cannot be used, and where the runbook says what to do."""
    detail = f"{error}. See the runbook page database-down."
    return page("refused.html", status=503, title="The database cannot be used", detail=detail)
