"""The state of a sign-in: a random value that binds the issuer's answer to the browser that began the sign-in.

The browser keeps it in a cookie for ten minutes, the issuer sends it back in its form. Without it a page of another
site could sign an operator in as somebody else.
"""

import hmac
import secrets
from typing import Any, Final
from urllib.parse import urlencode

from flask import Response, request

from web.console import sessions
from web.http.parts import current_parts

COOKIE: Final = "mana_ops_sign_in"
RETURN_PATH: Final = f"{sessions.LOGIN}/return"
LIFE_S: Final = 600
STATE_BYTES: Final = 32


def new_state() -> str:
    """Create a state that nobody can guess."""
    return secrets.token_urlsafe(STATE_BYTES)


def sign_in_address(sign_in_url: str, state: str) -> str:
    """Write the address of the issuer's sign-in page, which sends the browser back with a form."""
    query = {
        "redirect_uri": f"{current_parts().settings.base_url}{RETURN_PATH}",
        "response_mode": "form_post",
        "state": state,
    }
    return f"{sign_in_url}{'&' if '?' in sign_in_url else '?'}{urlencode(query)}"


def remember(answer: Response, state: str) -> None:
    """Keep the state in the browser.

    The issuer's page is on another origin, perhaps of another site: browsers send only a `SameSite=None` cookie with
    its form, and accept that only with `Secure`. Without TLS, on a developer's machine, both are of one site.
    """
    answer.set_cookie(COOKIE, state, max_age=LIFE_S, **_attributes())


def forget(answer: Response) -> None:
    """Delete the state in the browser: it is good for one sign-in."""
    answer.delete_cookie(COOKIE, **_attributes())


def is_of_this_browser(state: str) -> bool:
    """Return whether this browser began the sign-in with this state."""
    remembered = request.cookies.get(COOKIE, "")
    return bool(remembered) and hmac.compare_digest(state.encode(), remembered.encode())


def _attributes() -> dict[str, Any]:
    is_secure = sessions.is_secure()
    return {
        "path": RETURN_PATH,
        "httponly": True,
        "samesite": "None" if is_secure else "Lax",
        "secure": is_secure,
    }
