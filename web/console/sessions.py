"""The console's sessions: an admin's token opens one, and a cookie carries its id.

PostgreSQL has the list of sessions (`jobs.console_sessions`), so no key signs anything, and a session that was ended is
ended in all processes. The cookie is worth nothing without its row.
"""

import hmac
from datetime import UTC, datetime
from typing import Final

import jwt
from flask import Response, abort, g, redirect, request

from domain.operations import console_sessions as session_acts
from domain.rules.console_sessions import ConsoleSession, session_end, session_id_hash
from domain.store import console_sessions as session_rows
from web.http.auth import Guard
from web.http.parts import current_parts
from web.http.problems import Forbidden, Unauthorized
from web.http.tokens import User

COOKIE: Final = "mana_ops"
PATH: Final = "/ops"
LOGIN: Final = "/ops/login"


def open_session(answer: Response, user: User, token: str) -> None:
    """Give the browser a new session, and end the one it had. It ends with the token, at the latest after 8 hours.

    Args:
        token: Already verified; only its end is read here.

    Raises:
        Unauthorized: the token has expired since it was verified.
    """
    now = datetime.now(UTC)
    expires_at = jwt.decode(token, options={"verify_signature": False})["exp"]
    ends_at = session_end(float(expires_at), now=now)
    if ends_at <= now:
        raise Unauthorized("The token has expired")
    with current_parts().database.begin() as store:
        session_acts.end_session(store, _session_id())
        session_id = session_acts.open_session(store, who=user.id, ends_at=ends_at, now=now)
    answer.set_cookie(
        COOKIE,
        session_id,
        max_age=int((ends_at - now).total_seconds()),
        path=PATH,
        httponly=True,
        samesite="Strict",
        secure=is_secure(),
    )


def close_session(answer: Response) -> None:
    """End the session, here and for every copy of its cookie."""
    with current_parts().database.begin() as store:
        session_acts.end_session(store, _session_id())
    answer.delete_cookie(COOKIE, path=PATH, httponly=True, samesite="Strict", secure=is_secure())


def is_secure() -> bool:
    """Return whether a cookie must never travel in the clear."""
    return request.is_secure or current_parts().settings.base_url.startswith("https://")


def refuse_foreign_form() -> None:
    """Refuse a form that a page of another site sent (Fetch Metadata; older browsers rely on `SameSite`).

    Raises:
        Forbidden: the browser says that another site sent it.
    """
    if request.method == "POST" and request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        raise Forbidden("This form was sent by another site")


def _check() -> None:
    session = _session()
    if session is None:
        abort(redirect(LOGIN, 303))
    g.operator, g.csrf = session.who, session.csrf
    if request.method == "POST":
        refuse_foreign_form()
        csrf = request.form.get("csrf", "").encode()
        if not hmac.compare_digest(csrf, session.csrf.encode()):
            raise Forbidden("The form belongs to another session: load the page again")


def _session() -> ConsoleSession | None:
    """Find the session of this request's cookie; `None` if there is none, or it has ended."""
    session_id = _session_id()
    if not session_id:
        return None
    with current_parts().database.read() as reader:
        return session_rows.find(reader, session_id_hash(session_id), now=datetime.now(UTC))


def _session_id() -> str:
    return request.cookies.get(COOKIE, "")


operator = Guard(name="operator", check=_check)
"""An admin's session. Every form carries its CSRF token, which is checked here."""
