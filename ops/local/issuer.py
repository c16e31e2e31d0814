"""A development issuer of tokens: `python -m ops.local.issuer --port N --key FILE`.

It gives anyone who can reach it on loopback a token for any user, which is what a developer needs, and what makes it
unfit for anything else.
"""

from pathlib import Path
from typing import Annotated, Any

import click
import pydantic
from flask import Flask, Response, jsonify, render_template_string, request
from pydantic import Field
from werkzeug.serving import WSGIRequestHandler, make_server

from ops.local.ports import LOOPBACK
from ops.local.signing import LIFETIME_S, KeyRing, mint

__all__ = ["KeyRing", "create_app", "mint"]

PAGE = Path(__file__).with_name("issuer.html")
LIFETIME_MAX_S = 30 * 24 * 3600


class TokenRequest(pydantic.BaseModel):
    """Whom a token shall speak for."""

    model_config = pydantic.ConfigDict(extra="forbid", str_strip_whitespace=True)

    sub: Annotated[str, Field(min_length=1, max_length=128)]
    email: Annotated[str, Field(max_length=320)] | None = None
    emailVerified: bool = True  # noqa: N815 - as it is on the wire
    name: Annotated[str, Field(max_length=200)] | None = None
    role: Annotated[str, Field(max_length=64)] = "user"
    expiresInSeconds: Annotated[int, Field(ge=1, le=LIFETIME_MAX_S)] = LIFETIME_S  # noqa: N815


def create_app(keys: KeyRing, *, issuer: str) -> Flask:
    """Make the issuer's web application.

    Args:
        keys: Sign tokens and are published.
        issuer: Base address under which the service knows the issuer, `iss`.
    """
    app = Flask(__name__)
    # Another name for this address would be a web page's trick to talk to it from a browser.
    app.config["TRUSTED_HOSTS"] = [LOOPBACK, "localhost"]

    def signed(wanted: TokenRequest) -> str:
        return mint(
            keys.current,
            issuer=issuer,
            sub=wanted.sub,
            email=wanted.email or None,
            email_verified=wanted.emailVerified,
            name=wanted.name or None,
            role=wanted.role,
            expires_in_s=wanted.expiresInSeconds,
        )

    @app.get("/api/auth/jwks")
    def jwks() -> Response:
        return jsonify(keys.published())

    @app.post("/token")
    def token() -> Response:
        return jsonify(token=signed(TokenRequest.model_validate(request.get_json())))

    @app.post("/rotate")
    def rotate() -> Response:
        return jsonify(kid=keys.rotate().id)

    @app.get("/")
    def page() -> str:
        return shown({}, token=None)

    @app.post("/")
    def page_with_token() -> str:
        filled = {name: value for name, value in request.form.items() if value}
        verified = {"emailVerified": "emailVerified" in filled}
        return shown(filled, token=signed(TokenRequest.model_validate({**filled, **verified})))

    @app.errorhandler(pydantic.ValidationError)
    def refused(error: pydantic.ValidationError) -> tuple[Response, int]:
        wrong = [f"{'.'.join(map(str, fact['loc']))}: {fact['msg']}" for fact in error.errors()]
        return jsonify(title="Bad Request", status=400, detail="; ".join(wrong)), 400

    def shown(filled: dict[str, Any], *, token: str | None) -> str:
        return render_template_string(PAGE.read_text(encoding="utf-8"), issuer=issuer, filled=filled, token=token)

    return app


class QuietRequests(WSGIRequestHandler):
    """Answers requests without a log line for each."""

    def log_request(self, *_: object) -> None:
        """Say nothing: only errors are worth a line."""


@click.command()
@click.option("--port", type=click.IntRange(1, 65_535), required=True, help="Where to listen on loopback.")
@click.option("--key", "key_file", type=click.Path(path_type=Path), required=True, help="File of the signing keys.")
@click.option("--issuer", default="", help="Base address in tokens; default http://127.0.0.1:PORT.")
def main(*, port: int, key_file: Path, issuer: str) -> None:
    """Serve tokens and their public keys until ended."""
    app = create_app(KeyRing(key_file), issuer=issuer or f"http://{LOOPBACK}:{port}")
    make_server(LOOPBACK, port, app, threaded=True, request_handler=QuietRequests).serve_forever()


if __name__ == "__main__":
    main()
