"""The texts of the pages: one catalogue per language, used by the templates and by the scripts."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from flask import Response, request

CATALOGUES: Final = Path(__file__).parent.parent / "static" / "texts"
LANGUAGES: Final = ("en", "de")
"""The first is used if a browser prefers none of them."""
COOKIE: Final = "lang"
_YEAR_S: Final = 365 * 24 * 3_600

TEXTS: Final[Mapping[str, Mapping[str, str]]] = {
    language: json.loads((CATALOGUES / f"{language}.json").read_text(encoding="utf-8")) for language in LANGUAGES
}


def language() -> str:
    """Return the language of this request: chosen now (`?lang=`), chosen before (cookie), or the browser's choice."""
    for chosen in (request.args.get("lang"), request.cookies.get(COOKIE)):
        if chosen in LANGUAGES:
            return chosen
    for preferred, quality in request.accept_languages:  # best first
        supported = preferred.partition("-")[0].lower()
        if supported in LANGUAGES and quality > 0:
            return supported
    return LANGUAGES[0]


def remember_choice(answer: Response) -> None:
    """Store the language chosen with `?lang=` in the browser."""
    chosen = request.args.get("lang")
    if chosen in LANGUAGES:
        answer.set_cookie(COOKIE, chosen, max_age=_YEAR_S, samesite="Lax", httponly=True, secure=request.is_secure)
