"""A development issuer of tokens: `python -m local.issuer --port N --key FILE`.

It gives anyone who can reach it on loopback a token for any user, which is what a developer needs, and what makes it
unfit for anything else.
"""

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode, urlsplit

import click
import pydantic
from flask import Flask, Response, jsonify, redirect, render_template_string, request
from pydantic import AfterValidator, Field
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Response as BaseResponse

from local.ports import LOOPBACK
from local.signing import LIFETIME_S, KeyRing, mint

__all__ = ["KeyRing", "create_app", "mint"]

PAGE = Path(__file__).with_name("issuer.html")
SIGN_IN_PAGE = Path(__file__).with_name("sign-in.html")
HOSTS = (LOOPBACK, "localhost")
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


def _on_this_machine(url: str) -> str:
    """Take an address that a token may be sent to: a page of this machine's."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or parts.hostname not in HOSTS or parts.fragment:
        raise ValueError("must be a page of this machine's")
    return url


class SignIn(pydantic.BaseModel):
    """Where to go with the token of whoever signs in, and what to say there so that the answer is known as one."""

    redirect_uri: Annotated[str, Field(max_length=2_000), AfterValidator(_on_this_machine)]
    state: Annotated[str, Field(max_length=200)]


def create_app(keys: KeyRing, *, issuer: str) -> Flask:
    """Make the issuer's web application.

    Args:
        keys: Sign tokens and are published.
        issuer: Base address under which the service knows the issuer, `iss`.
    """
    app = Flask(__name__)
    # Another name for this address would be a web page's trick to talk to it from a browser.
    app.config["TRUSTED_HOSTS"] = [*HOSTS]
    app.register_error_handler(pydantic.ValidationError, _refused)
    _add_api(app, keys, issuer)
    _add_token_page(app, keys, issuer)
    _add_sign_in(app, keys, issuer)
    return app


def _add_api(app: Flask, keys: KeyRing, issuer: str) -> None:
    @app.get("/api/auth/jwks")
    def jwks() -> Response:
        return jsonify(keys.published())

    @app.post("/token")
    def token() -> Response:
        return jsonify(token=_signed(keys, issuer, TokenRequest.model_validate(request.get_json())))

    @app.post("/rotate")
    def rotate() -> Response:
        return jsonify(kid=keys.rotate().id)


def _add_token_page(app: Flask, keys: KeyRing, issuer: str) -> None:
    @app.get("/")
    def page() -> str:
        return shown({}, token=None)

    @app.post("/")
    def page_with_token() -> str:
        filled = {name: value for name, value in request.form.items() if value}
        verified = {"emailVerified": "emailVerified" in filled}
        return shown(filled, token=_signed(keys, issuer, TokenRequest.model_validate({**filled, **verified})))

    def shown(filled: dict[str, Any], *, token: str | None) -> str:
        return render_template_string(PAGE.read_text(encoding="utf-8"), issuer=issuer, filled=filled, token=token)


def _add_sign_in(app: Flask, keys: KeyRing, issuer: str) -> None:
    @app.get("/sign-in")
    def sign_in_page() -> str:
        wanted = SignIn.model_validate(request.args.to_dict())
        return render_template_string(SIGN_IN_PAGE.read_text(encoding="utf-8"), **wanted.model_dump())

    @app.post("/sign-in")
    def sign_in() -> BaseResponse:
        wanted = SignIn.model_validate(request.form.to_dict())
        claims = {name: request.form[name] for name in ("sub", "email", "name") if request.form.get(name)}
        token = _signed(keys, issuer, TokenRequest.model_validate(claims))
        # Behind the `#`: browsers send it to no server, so it is in no log.
        return redirect(f"{wanted.redirect_uri}#{urlencode({'token': token, 'state': wanted.state})}", 303)


def _signed(keys: KeyRing, issuer: str, wanted: TokenRequest) -> str:
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


def _refused(error: pydantic.ValidationError) -> tuple[Response, int]:
    wrong = [f"{'.'.join(map(str, fact['loc']))}: {fact['msg']}" for fact in error.errors()]
    return jsonify(title="Bad Request", status=400, detail="; ".join(wrong)), 400


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
