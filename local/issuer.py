"""A development issuer of tokens: `python -m local.issuer --port N --key FILE`.

Anyone who reaches it on loopback gets a token for any user. That helps a developer, and it must not be used elsewhere.
"""

from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlencode, urlsplit

import click
import pydantic
from flask import Flask, Response, jsonify, redirect, render_template, request
from pydantic import AfterValidator, Field
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Response as BaseResponse

from local.ports import LOOPBACK
from local.signing import LIFETIME_S, KeyRing, mint

HOSTS = (LOOPBACK, "localhost")
LIFETIME_MAX_S = 30 * 24 * 3600


class TokenRequest(pydantic.BaseModel):
    """The user and the claims of a new token."""

    model_config = pydantic.ConfigDict(extra="forbid", str_strip_whitespace=True)

    sub: Annotated[str, Field(min_length=1, max_length=128)]
    email: Annotated[str, Field(max_length=320)] | None = None
    emailVerified: bool = True  # noqa: N815 - the name in the JSON body
    name: Annotated[str, Field(max_length=200)] | None = None
    role: Annotated[str, Field(max_length=64)] = "user"
    expiresInSeconds: Annotated[int, Field(ge=1, le=LIFETIME_MAX_S)] = LIFETIME_S  # noqa: N815


def _check_local_url(url: str) -> str:
    """Return an address that a token may be sent to: a page on this machine.

    Raises:
        ValueError: the address is on another machine.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or parts.hostname not in HOSTS or parts.fragment:
        raise ValueError("must be the address of a page on this machine")
    return url


class SignInRequest(pydantic.BaseModel):
    """The page that gets the user's token, and the `state` by which that page recognises the answer to its request.

    Attributes:
        response_mode: How the token gets there: behind the `#` of its address, for a script, or in a form.
    """

    response_mode: Literal["fragment", "form_post"] = "fragment"
    redirect_uri: Annotated[str, Field(max_length=2_000), AfterValidator(_check_local_url)]
    state: Annotated[str, Field(max_length=200)]


def create_app(keys: KeyRing, *, issuer: str) -> Flask:
    """Create the issuer's web application.

    Args:
        keys: The keys that sign tokens; their public halves are published.
        issuer: Base address under which the service knows the issuer, the claim `iss`.
    """
    app = Flask(__name__, template_folder="issuer_pages")
    # A foreign web page could reach this server from a browser under another host name (DNS rebinding).
    app.config["TRUSTED_HOSTS"] = [*HOSTS]
    app.register_error_handler(pydantic.ValidationError, _bad_request)
    _add_api(app, keys, issuer)
    _add_token_page(app, keys, issuer)
    _add_sign_in(app, keys, issuer)
    return app


def _add_api(app: Flask, keys: KeyRing, issuer: str) -> None:
    @app.get("/api/auth/jwks")
    def jwks() -> Response:
        return jsonify(keys.public_jwks())

    @app.post("/token")
    def token() -> Response:
        return jsonify(token=_sign(keys, issuer, TokenRequest.model_validate(request.get_json())))

    @app.post("/rotate")
    def rotate() -> Response:
        return jsonify(kid=keys.rotate().id)


def _add_token_page(app: Flask, keys: KeyRing, issuer: str) -> None:
    @app.get("/")
    def page() -> str:
        return render({}, token=None)

    @app.post("/")
    def page_with_token() -> str:
        form = {name: value for name, value in request.form.items() if value}
        verified = {"emailVerified": "emailVerified" in form}
        return render(form, token=_sign(keys, issuer, TokenRequest.model_validate({**form, **verified})))

    def render(form: dict[str, Any], *, token: str | None) -> str:
        return render_template("token.html", issuer=issuer, form=form, token=token)


def _add_sign_in(app: Flask, keys: KeyRing, issuer: str) -> None:
    @app.get("/sign-in")
    def sign_in_page() -> str:
        sign_in_request = SignInRequest.model_validate(request.args.to_dict())
        return render_template("sign-in.html", **sign_in_request.model_dump())

    @app.post("/sign-in")
    def sign_in() -> BaseResponse | str:
        sign_in_request = SignInRequest.model_validate(request.form.to_dict())
        claims = {name: request.form[name] for name in ("sub", "email", "name", "role") if request.form.get(name)}
        token = _sign(keys, issuer, TokenRequest.model_validate(claims))
        if sign_in_request.response_mode == "form_post":
            return render_template("return.html", token=token, user=claims["sub"], **sign_in_request.model_dump())
        # Behind the `#`: browsers do not send that part to a server, so the token gets into no log.
        fragment = urlencode({"token": token, "state": sign_in_request.state})
        return redirect(f"{sign_in_request.redirect_uri}#{fragment}", 303)


def _sign(keys: KeyRing, issuer: str, token_request: TokenRequest) -> str:
    return mint(
        keys.current,
        issuer=issuer,
        sub=token_request.sub,
        email=token_request.email or None,
        email_verified=token_request.emailVerified,
        name=token_request.name or None,
        role=token_request.role,
        expires_in_s=token_request.expiresInSeconds,
    )


def _bad_request(error: pydantic.ValidationError) -> tuple[Response, int]:
    details = [f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}" for detail in error.errors()]
    return jsonify(title="Bad Request", status=400, detail="; ".join(details)), 400


class QuietRequests(WSGIRequestHandler):
    """Answers requests without a log line for each."""

    def log_request(self, *_: object) -> None:
        """Write nothing: only errors are logged."""


@click.command()
@click.option("--port", type=click.IntRange(1, 65_535), required=True, help="Where to listen on loopback.")
@click.option("--key", "key_file", type=click.Path(path_type=Path), required=True, help="File of the signing keys.")
@click.option("--issuer", default="", help="Base address in tokens; default http://127.0.0.1:PORT.")
def main(*, port: int, key_file: Path, issuer: str) -> None:
    """Serve tokens and their public keys until the process is ended."""
    app = create_app(KeyRing(key_file), issuer=issuer or f"http://{LOOPBACK}:{port}")
    make_server(LOOPBACK, port, app, threaded=True, request_handler=QuietRequests).serve_forever()


if __name__ == "__main__":
    main()
