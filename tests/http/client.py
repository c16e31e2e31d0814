"""How the tests speak to the API, and what every refusal of it looks like."""

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import stripe
from flask import Flask, json
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from domain.ids import new_id
from domain.operations import jobs
from domain.operations.purchases import PurchaseStarted, attach_payment, start_purchase
from domain.rules.purchases import StripeObjects
from domain.store import Database, packages
from domain.store.database import Store
from domain.units import Credits, EuroCents, UserId
from tests.conftest import NOW
from tests.issuer import Issuer

API: Final = "/api/v1"
JSON: Final = "application/json"
WEBHOOK_SECRET: Final = "whsec_1"
PROBLEM: Final = "application/problem+json"
UUID_TEXT: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
INSTANT_TEXT: Final = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
INTENT: Final = StripeObjects(customer_id="cus_1", payment_intent_id="pi_1", client_secret="pi_1_secret_1")
SESSION: Final = StripeObjects(
    customer_id="cus_1", checkout_session_id="cs_1", checkout_url="https://checkout.example/cs_1"
)


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


def make_gift(client: FlaskClient, who: dict[str, str], **body: Any) -> Any:
    """Make a gift of 10 credits, or another."""
    made = client.post(f"{API}/gifts", json={"totalCredits": 10, **body}, headers=who)
    assert made.status_code == 201, made.json
    return made.json


def problem_of(answer: TestResponse, status: int, code: str | None = None) -> dict[str, Any]:
    """Make sure that an answer is a whole problem document of this status, and read it."""
    assert answer.status_code == status, answer.get_data(as_text=True)
    return check_problem(answer.content_type, answer.get_data(as_text=True), status, code)


def check_problem(content_type: str, text: str, status: int, code: str | None = None) -> dict[str, Any]:
    """Make sure that a body is a whole problem document of this status, and read it."""
    told: dict[str, Any] = json.loads(text)
    assert content_type == PROBLEM
    assert told["status"] == told["statusCode"] == status
    assert told["detail"] == told["message"] != ""
    assert told["type"] == f"urn:mana-credits:problem:{told['code']}"
    assert isinstance(told["title"], str)
    assert told["title"] != ""
    assert code in {None, told["code"]}
    return told


def written(database: Database) -> dict[str, int]:
    """Count what a request may have written."""
    with database.single() as store:
        return {
            table: store.run(text(f"SELECT count(*) FROM {table}")).scalar_one()
            for table in ("credits.transactions", "credits.purchases", "jobs.jobs")
        }


def offer(database: Database, *, name: str = "Starter", amount: int = 500, price: int = 499, order: int = 1) -> UUID:
    """Put a package on sale."""
    with database.begin() as store:
        made = packages.add(
            store,
            name=name,
            credit_count=Credits(amount),
            price=EuroCents(price),
            description=f"{amount} credits",
            sort_order=order,
            now=NOW,
        )
    assert made is not None
    return made.id


def bought(store: Store, *, package_id: UUID, user_id: str = "anna", at: datetime = NOW) -> PurchaseStarted:
    """Start a purchase as the API would."""
    return start_purchase(
        store,
        user_id=UserId(user_id),
        package_id=package_id,
        redirects=None,
        key=None,
        request_id=new_id().hex,
        now=at,
    )


def done(database: Database, job_id: str, made: StripeObjects) -> None:
    """Do a purchase's job as a worker would, with what was made at Stripe."""
    with database.begin() as store:
        job = jobs.start(store, UUID(job_id), token=new_id())
        assert job is not None
        purchase_id = UUID(job.payload["purchaseId"])
        assert jobs.finish(store, job, lambda s: attach_payment(s, purchase_id=purchase_id, payment=made))
