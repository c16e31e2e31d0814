"""Signing in to the console with an administrator's token, and signing out."""

from flask import Response, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from web.console import sessions
from web.console.page import api, door, page
from web.http.parts import current_parts
from web.http.problems import HTTP_STATUSES, Forbidden, Unauthorized


@door.get("/login")
def login() -> Response:
    """Ask for an admin's token."""
    return page("login.html")


@door.post("/login")
def sign_in() -> BaseResponse:
    """Open a session for an admin's token."""
    sessions.refuse_foreign_form()
    token = request.form.get("token", "").strip()
    try:
        user = current_parts().tokens.read_user(token)
    except Unauthorized as refusal:
        return page("login.html", status=HTTP_STATUSES[refusal.code], refusal=refusal.detail)
    if not user.is_admin:
        return page("login.html", status=HTTP_STATUSES[Forbidden.code], refusal="Only for administrators")
    answer = redirect(sessions.PATH, 303)
    sessions.open_session(answer, user, token)  # type: ignore[arg-type] # Flask's own response class
    return answer


@api.post("/logout")
def sign_out() -> BaseResponse:
    """End the session."""
    answer = redirect(sessions.LOGIN, 303)
    sessions.close_session(answer)  # type: ignore[arg-type]
    return answer
