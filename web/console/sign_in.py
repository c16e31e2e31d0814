"""Signing in to the console: on the issuer's page, or with a pasted token of an administrator; and signing out."""

from typing import cast
from urllib.parse import urlsplit

from flask import Response, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from domain.errors import NotFound, Refusal
from web.console import sessions, sign_in_state
from web.console.page import api, door, page
from web.http.parts import current_parts
from web.http.problems import HTTP_STATUSES, Forbidden, Unauthorized


@door.get("/login")
def login() -> Response:
    """Offer the issuer's sign-in page, and a field for an admin's token."""
    return _login_page()


@door.post("/login")
def sign_in() -> BaseResponse:
    """Open a session for an admin's token that was pasted."""
    sessions.refuse_foreign_form()
    answer = _redirect(sessions.PATH)
    try:
        _open_session(answer)
    except (Unauthorized, Forbidden) as refusal:
        return _login_page(refusal)
    return answer


@door.get("/login/begin")
def begin_sign_in() -> BaseResponse:
    """Send the browser to the issuer's sign-in page.

    Raises:
        NotFound: no sign-in page is configured.
    """
    sign_in_url = current_parts().settings.sign_in_url
    if sign_in_url is None:
        raise NotFound("Sign-in page")
    state = sign_in_state.new_state()
    answer = _redirect(sign_in_state.sign_in_address(sign_in_url, state))
    sign_in_state.remember(answer, state)
    return answer


@door.post("/login/return")
def return_from_sign_in() -> Response:
    """Open a session for the token in the form that the issuer's page had the browser send.

    That form comes from another site, so Fetch Metadata cannot tell it from a forged one: the state does. The answer is
    a page that leads on, no redirect: after a request that another site began, browsers withhold `SameSite=Strict`
    cookies until a page of ours begins the next one.
    """
    if not sign_in_state.is_of_this_browser(request.form.get("state", "")):
        return _login_page(Forbidden("This sign-in was not begun in this browser, or took too long. Begin again."))
    answer = page("signed-in.html")
    try:
        _open_session(answer)
    except (Unauthorized, Forbidden) as refusal:
        answer = _login_page(refusal)
    sign_in_state.forget(answer)
    return answer


@api.post("/logout")
def sign_out() -> BaseResponse:
    """End the session."""
    answer = _redirect(sessions.LOGIN)
    sessions.close_session(answer)
    return answer


def _open_session(answer: Response) -> None:
    """Verify the token in the form, and open its session.

    Raises:
        Unauthorized: the token is not valid.
        Forbidden: it is not an administrator's.
    """
    token = request.form.get("token", "").strip()
    user = current_parts().tokens.read_user(token)
    if not user.is_admin:
        raise Forbidden("Only for administrators")
    sessions.open_session(answer, user, token)


def _login_page(refusal: Refusal | None = None) -> Response:
    sign_in_url = current_parts().settings.sign_in_url
    return page(
        "login.html",
        status=HTTP_STATUSES[refusal.code] if refusal else 200,
        refusal=refusal.detail if refusal else None,
        sign_in_host=urlsplit(sign_in_url).netloc if sign_in_url else None,
    )


def _redirect(address: str) -> Response:
    return cast("Response", redirect(address, 303))
