"""The users' pages. They contain nothing personal: their scripts call the API with the signed-in user's token."""

import math
from collections.abc import Mapping
from functools import partial
from io import BytesIO
from typing import Any, Final
from urllib.parse import urlencode

import segno
from flask import Response, make_response, render_template, request

from domain.errors import NotFound
from domain.rules.gift_codes import parse_code, shown
from domain.rules.gifts import GIFT_MAX
from domain.rules.ledger import TransactionType
from web.http import auth
from web.http.api import Api
from web.http.kept_answers import answer_kept
from web.http.parts import current_parts
from web.pages.texts import LANGUAGES, TEXTS, language, remember_choice

api = Api("pages", auth.public, prefix="")

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src {connect};"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types"
)


@api.get("/credits")
def shop() -> Response:
    """Show the shop: balance, packages, what was spent where, and the history."""
    return page("credits.html", types=list(TransactionType))


@api.get("/credits/return")
def purchase_return() -> Response:
    """Show the state of a purchase after the buyer comes back from paying it."""
    return page("return.html")


@api.get("/gifts")
def gifts() -> Response:
    """Show the gifts the user has made and received, and make new ones."""
    return page("gifts.html", gift_max=GIFT_MAX)


@api.get("/g/<code>")
def gift(code: str) -> Response:  # noqa: ARG001 - the script reads it from the address
    """Show a gift to anyone who has its link. The script looks up the code through the API, which counts guesses."""
    return page("gift.html")


@api.get("/g/<code>/qr.svg")
def gift_qr_code(code: str) -> Response:
    """Draw a gift's link as a QR code. Only the form of the code is checked, so the answer does not show if it exists.

    Raises:
        NotFound: no gift can have this code.
        TooManyRequests: this address lets too many be drawn.
    """
    parsed = parse_code(code)
    if parsed is None:
        raise NotFound("Gift")
    parts = current_parts()
    link = f"{parts.settings.base_url}/g/{shown(parsed)}"
    return answer_kept(
        parts.kept_answers,
        ("qr", link),
        partial(_draw, link),
        kept_s=math.inf,
        content_type="image/svg+xml; charset=utf-8",
        cache_control="private, max-age=86400",  # private: whoever has the link may redeem the gift
        headers={"Content-Security-Policy": "default-src 'none'"},
    )


def _draw(link: str) -> bytes:
    image = BytesIO()
    segno.make_qr(link, error="m").save(
        image, kind="svg", light="white", xmldecl=False, omitsize=True, svgclass=None, lineclass=None
    )
    return image.getvalue()


@api.get("/settings/sync")
def sync_settings() -> Response:
    """Show Cloud Sync: its state, its settings and its price."""
    return page("sync.html", connect=current_parts().settings.sync_url)


@api.get("/signed-in")
def signed_in() -> Response:
    """Take the token that the issuer sends back after the `#`, and return to the page the user came from."""
    return page("signed-in.html")


def page(template: str, *, connect: str | None = None, **facts: Any) -> Response:
    """Answer with a page in the language of the request.

    Args:
        connect: Another origin that the page's scripts may talk to.
        facts: Variables of the template.
    """
    settings, chosen = current_parts().settings, language()
    answer = make_response(
        render_template(
            f"pages/{template}",
            t=partial(_text, TEXTS[chosen]),
            language=chosen,
            other_languages=[(other, _address_in(other)) for other in LANGUAGES if other != chosen],
            sign_in_url=f"{settings.auth_url}/sign-in",
            connect=connect,
            **facts,
        )
    )
    answer.headers["Content-Security-Policy"] = POLICY.format(connect=" ".join(filter(None, ["'self'", connect])))
    answer.vary.update(["Accept-Language", "Cookie"])
    remember_choice(answer)
    return answer


def _text(texts: Mapping[str, str], key: str, **facts: object) -> str:
    return texts[key].format(**facts)


def _address_in(other: str) -> str:
    """Return the address of this page in another language."""
    return f"{request.path}?{urlencode({**request.args.to_dict(), 'lang': other})}"
