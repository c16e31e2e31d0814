"""The HTTP API as its callers see it, in this process; and what every refusal of it looks like."""

import time
from collections.abc import Mapping
from typing import Any, Final

import stripe
from flask import Flask, json
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from domain.store import Database
from tests.support.issuer import Issuer

API: Final = "/api/v1"
JSON: Final = "application/json"
WEBHOOK_SECRET: Final = "whsec_1"
PROBLEM: Final = "application/problem+json"
UUID_TEXT: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
INSTANT_TEXT: Final = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


class Caller:
    """Somebody who calls the API: a user, a service, or nobody we know. Safe to share between threads."""

    def __init__(self, app: Flask, headers: Mapping[str, str], *, base: str = API) -> None:
        self._app = app
        self._base = base
        self.headers = dict(headers)

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.call("GET", path, headers=headers)

    def post(self, path: str, body: Any = None, **headers: str) -> TestResponse:
        return self.call("POST", path, data=json.dumps(body), content_type=JSON, headers=headers)

    def call(
        self,
        method: str,
        path: str,
        *,
        data: str | bytes | None = None,
        content_type: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> TestResponse:
        """Call a path below the caller's base; header names are written with `_` for `-`."""
        named = {name.replace("_", "-"): value for name, value in (headers or {}).items()}
        return self._app.test_client().open(
            self._base + path,
            method=method,
            data=data,
            content_type=content_type,
            headers=self.headers | named,
            buffered=True,
        )


class Api:
    """The application, as seen by its callers."""

    def __init__(self, app: Flask, issuer: Issuer) -> None:
        self._app = app
        self._issuer = issuer

    def user(self, user_id: str = "anna", **claims: Any) -> Caller:
        return Caller(self._app, {"Authorization": f"Bearer {self._issuer.token(user_id, **claims)}"})

    def bearer(self, token: str) -> Caller:
        return Caller(self._app, {"Authorization": f"Bearer {token}"})

    def service(self, key: str = "service-key") -> Caller:
        return Caller(self._app, {"X-Service-Key": key})

    def nobody(self) -> Caller:
        return Caller(self._app, {})

    def outside(self) -> Caller:
        """Nobody we know, at the pages outside of the API's base path."""
        return Caller(self._app, {}, base="")


def signed(body: str, *, secret: str = WEBHOOK_SECRET, age_s: int = 0) -> str:
    """Make the header with which Stripe signs an event, seconds ago."""
    header: str = stripe.WebhookSignature.generate_signature_header(body, secret, int(time.time()) - age_s)
    return header


def bearer(issuer: Issuer, user_id: str, **claims: Any) -> dict[str, str]:
    """Make the headers of a user."""
    return {"Authorization": f"Bearer {issuer.token(user_id, **claims)}"}


def make_gift(client: FlaskClient, headers: dict[str, str], **body: Any) -> Any:
    """Make a gift of 10 credits, or another."""
    answer = client.post(f"{API}/gifts", json={"totalCredits": 10, **body}, headers=headers)
    assert answer.status_code == 201, answer.json
    return answer.json


def problem_of(answer: TestResponse, status: int, code: str | None = None) -> dict[str, Any]:
    """Make sure that an answer is a whole problem document of this status, and read it."""
    assert answer.status_code == status, answer.get_data(as_text=True)
    return check_problem(answer.content_type, answer.get_data(as_text=True), status, code)


def check_problem(content_type: str, text: str, status: int, code: str | None = None) -> dict[str, Any]:
    """Make sure that a body is a whole problem document of this status, and read it."""
    problem: dict[str, Any] = json.loads(text)
    assert content_type == PROBLEM
    assert problem["status"] == problem["statusCode"] == status
    assert problem["detail"] == problem["message"] != ""
    assert problem["type"] == f"urn:mana-credits:problem:{problem['code']}"
    assert isinstance(problem["title"], str)
    assert problem["title"] != ""
    assert code in {None, problem["code"]}
    return problem


def without_message(answer: TestResponse) -> dict[str, Any]:
    """Read an answer's body without its message, which says whether it is a repeat."""
    body: dict[str, Any] = answer.get_json()
    return {name: value for name, value in body.items() if name != "message"}


def written(database: Database) -> dict[str, int]:
    """Count what a request may have written."""
    with database.single() as store:
        return {
            table: store.run(text(f"SELECT count(*) FROM {table}")).scalar_one()
            for table in ("credits.transactions", "credits.purchases", "jobs.jobs")
        }
