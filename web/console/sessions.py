"""The console's sessions: an admin's token opens one, and a signed cookie carries it.

The key that signs is derived from `MANA_SERVICE_KEY`, so all processes share it and rotating that key ends old sessions
when the previous one is withdrawn.
"""

import hashlib
import hmac
import secrets
import time
from typing import Final

import jwt
from flask import Response, abort, g, redirect, request
from itsdangerous import BadSignature, URLSafeSerializer

from web.http.auth import Guard
from web.http.parts import current_parts
from web.http.problems import Forbidden
from web.http.tokens import User

COOKIE: Final = "mana_ops"
PATH: Final = "/ops"
LOGIN: Final = "/ops/login"
LIFE_S: Final = 8 * 3_600


def open_session(answer: Response, user: User, token: str) -> None:
    """Give the browser a session that ends with the token, or after `LIFE_S` if that is sooner.

    Args:
        token: Already verified; only its end is read here.
    """
    ends_at = jwt.decode(token, options={"verify_signature": False})["exp"]
    life_s = min(int(ends_at - time.time()), LIFE_S)
    session = {"who": user.id, "until": int(time.time()) + life_s, "csrf": secrets.token_urlsafe(24)}
    answer.set_cookie(
        COOKIE,
        str(_signer().dumps(session)),
        max_age=life_s,
        path=PATH,
        httponly=True,
        samesite="Strict",
        secure=request.is_secure or current_parts().settings.base_url.startswith("https://"),
    )


def close_session(answer: Response) -> None:
    """Delete the session in the browser."""
    answer.delete_cookie(COOKIE, path=PATH, httponly=True, samesite="Strict")


def refuse_foreign_form() -> None:
    """Refuse a form that a page of another site sent (Fetch Metadata; older browsers rely on `SameSite`).

    Raises:
        Forbidden: the browser says that another site sent it.
    """
    if request.method == "POST" and request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        raise Forbidden("This form was sent by another site")


def _check() -> None:
    try:
        session = _signer().loads(request.cookies.get(COOKIE, ""))
        who, until, csrf = session["who"], session["until"], session["csrf"]
    except (BadSignature, KeyError, TypeError):
        abort(redirect(LOGIN, 303))
    if until <= time.time():
        abort(redirect(LOGIN, 303))
    g.operator, g.csrf = who, csrf
    if request.method == "POST":
        refuse_foreign_form()
        sent = request.form.get("csrf", "").encode()
        if not hmac.compare_digest(sent, csrf.encode()):
            raise Forbidden("The form belongs to another session: load the page again")


def _signer() -> URLSafeSerializer:
    """Build what signs and verifies the cookie: the last key signs, a cookie of any key is accepted."""
    keys = [_key(key) for key in reversed(current_parts().settings.service_keys)]
    return URLSafeSerializer(keys, salt="mana-credits console", signer_kwargs={"digest_method": hashlib.sha256})


def _key(service_key: str) -> bytes:
    return hmac.digest(service_key.encode(), b"mana-credits console session", "sha256")


operator = Guard(name="operator", check=_check)
"""An admin's session. Every form carries its CSRF token, which is checked here."""
