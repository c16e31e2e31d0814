"""What people read, in their language: one catalogue for each, used here and by the scripts of the pages."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from flask import Response, request

CATALOGUES: Final = Path(__file__).parent.parent / "static" / "texts"
LANGUAGES: Final = ("en", "de")
"""The first is spoken to whoever asks for none of them."""
COOKIE: Final = "lang"
_YEAR_S: Final = 365 * 24 * 3_600

TEXTS: Final[Mapping[str, Mapping[str, str]]] = {
    language: json.loads((CATALOGUES / f"{language}.json").read_text(encoding="utf-8")) for language in LANGUAGES
}


def language() -> str:
    """Tell the language of this request: chosen now (`?lang=`), chosen before (cookie), or what the browser prefers."""
    for chosen in (request.args.get("lang"), request.cookies.get(COOKIE)):
        if chosen in LANGUAGES:
            return chosen
    for preferred, quality in request.accept_languages:  # best first
        spoken = preferred.partition("-")[0].lower()
        if spoken in LANGUAGES and quality > 0:
            return spoken
    return LANGUAGES[0]


def remember_choice(answer: Response) -> None:
    """Let the browser keep the language chosen with `?lang=`."""
    chosen = request.args.get("lang")
    if chosen in LANGUAGES:
        answer.set_cookie(COOKIE, chosen, max_age=_YEAR_S, samesite="Lax", httponly=True, secure=request.is_secure)
