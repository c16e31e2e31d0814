"""The OpenAPI document, as JSON and as a page."""

from flask import Response, json, render_template

from web.http import auth
from web.http.api import Api
from web.http.parts import current_parts

api = Api("public_documents", auth.public, prefix="")


@api.get("/openapi.json")
def openapi() -> Response:
    """Serve the OpenAPI document."""
    return Response(json.dumps(current_parts().openapi), mimetype="application/json")


@api.get("/docs")
def docs() -> Response:
    """Serve the OpenAPI document as a page."""
    page = Response(render_template("docs.html", api=current_parts().openapi), mimetype="text/html")
    page.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'self'; frame-ancestors 'none'"
    return page
