"""The OpenAPI document, as JSON and as a page. Neither changes while the process lives."""

import math
from typing import Final

from flask import Response, json, render_template

from web.http import auth
from web.http.api import Api
from web.http.kept_answers import answer_kept
from web.http.parts import current_parts

api = Api("public_documents", auth.public, prefix="")

CACHE_CONTROL: Final = "public, max-age=300"


@api.get("/openapi.json")
def openapi() -> Response:
    """Serve the OpenAPI document."""
    parts = current_parts()
    return answer_kept(
        parts.kept_answers,
        ("openapi",),
        lambda: json.dumps(parts.openapi).encode(),
        kept_s=math.inf,
        content_type="application/json",
        cache_control=CACHE_CONTROL,
    )


@api.get("/docs")
def docs() -> Response:
    """Serve the OpenAPI document as a page."""
    parts = current_parts()
    return answer_kept(
        parts.kept_answers,
        ("docs",),
        lambda: render_template("docs.html", api=parts.openapi).encode(),
        kept_s=math.inf,
        content_type="text/html; charset=utf-8",
        cache_control=CACHE_CONTROL,
        headers={"Content-Security-Policy": "default-src 'none'; style-src 'self'; frame-ancestors 'none'"},
    )
