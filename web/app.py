"""The Flask application. `web.server` serves it."""

import re
from collections.abc import Sequence
from typing import Final

from flask import Flask
from flask_cors import CORS
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import BaseConverter, ValidationError

import settings as environment
from domain.rules.user_ids import is_user_id
from domain.store.group_commit import GroupCommit
from gateways.issuer import PATH as ISSUER_PATH
from process.parts import WebParts, web_parts
from telemetry.logs import configure_logging
from web import admins, console, pages, public, services, stripe, users
from web.http import gift_guesses, intake, problems, requests
from web.http.addresses import ClientAddress
from web.http.api import Api
from web.http.jwks import IssuerKeys
from web.http.parts import EXTENSION, Parts, statement
from web.http.readiness import Readiness
from web.http.tokens import Tokens
from web.http.turns import Turns
from web.http.waiting_room import WaitingRoom
from web.openapi import build

APIS: Final[tuple[Api, ...]] = (
    *public.APIS,
    *pages.APIS,
    *stripe.APIS,
    *users.APIS,
    *services.APIS,
    *admins.APIS,
    *console.APIS,
)
OPEN_TO_OUR_CLIENTS: Final = (r"/api/v1/(?!internal|webhooks|admin).*", r"/static/.*")
"""What web clients on other origins may call: the API of users, and the modules and texts that they embed."""
EXPOSED_HEADERS: Final = [
    "Link",
    "Location",
    "Retry-After",
    "Idempotency-Replayed",
    "Preference-Applied",
    "X-Request-Id",
]
ALLOWED_HEADERS: Final = ["Authorization", "Content-Type", "Idempotency-Key", "Prefer", "X-App-Id", "X-Request-Id"]


class UserIdConverter(BaseConverter):
    """A user id in a path: an opaque text of 1 to 128 characters, without a slash."""

    def to_python(self, value: str) -> str:
        """Read a user id; any other text is an unknown path."""
        if not is_user_id(value):
            raise ValidationError
        return value


def create_app(settings: environment.Settings | None = None) -> Flask:
    """Build the application.

    Args:
        settings: Of this process. By default they are read from the environment; if they are wrong, the process ends.
    """
    configure_logging()
    settings = settings or environment.load()
    app = Flask("web", static_folder="static", template_folder="templates")
    app.config["MAX_CONTENT_LENGTH"] = intake.BODY_BYTES_MAX
    app.url_map.converters["user_id"] = UserIdConverter
    app.url_map.strict_slashes = True
    app.url_map.merge_slashes = False
    app.extensions[EXTENSION] = _parts(web_parts(settings))
    requests.install(app)
    intake.install(app)
    problems.install(app)
    for api in APIS:
        app.register_blueprint(api)
    gift_guesses.install(
        app,
        settings.redis_url,
        namespace=settings.redis_namespace,
        only=(public.gifts.api.name, users.gifts.api.name),
    )
    CORS(
        app,
        resources={path: {"origins": _exactly(settings.cors_origins)} for path in OPEN_TO_OUR_CLIENTS},
        expose_headers=EXPOSED_HEADERS,
        allow_headers=ALLOWED_HEADERS,
        max_age=600,
    )
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=0, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    app.wsgi_app = ClientAddress(app.wsgi_app, hops=settings.trusted_proxies)  # type: ignore[assignment,method-assign]
    return app


def _exactly(origins: Sequence[str]) -> list[re.Pattern[str]]:
    """Write origins as what matches them and nothing else: the library takes a text with `[` or `*` for a pattern."""
    return [re.compile(re.escape(origin) + r"\Z") for origin in origins]


def _parts(process: WebParts) -> Parts:
    settings = process.settings
    return Parts(
        settings=settings,
        database=process.database,
        bell=process.bell,
        tokens=Tokens(IssuerKeys(settings.auth_url + ISSUER_PATH), issuer=settings.auth_url),
        turns=Turns(),
        group_commit=GroupCommit(settings.database_url, alone=statement),
        waiting_room=WaitingRoom(process.database),
        readiness=Readiness(process.database),
        openapi=build(APIS),
    )
