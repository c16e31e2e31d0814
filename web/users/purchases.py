"""Buying credits: packages on sale, starting a purchase, reading purchases."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from flask import g
from pydantic import Field

from domain.errors import KeyReused, NotFound, TooManyPurchases, UserErased
from domain.operations import purchases as purchase_acts
from domain.rules.purchases import Purchase as DomainPurchase
from domain.rules.purchases import PurchaseStatus, Redirects
from domain.store import packages as package_rows
from domain.store import purchases as purchase_rows
from web.http import auth
from web.http.answer import Answer
from web.http.api import Api
from web.http.idempotency_header import client_key
from web.http.lists import list_own_rows
from web.http.models import Instant, JsonObject, ListQuery, Model
from web.http.parts import current_parts, reading, transaction
from web.http.problems import BadRequest
from web.http.requests import request_id
from web.http.waiting import wait_and_answer
from web.users.redirects import check_redirect

api = Api("users_purchases", auth.user)


class Package(Model):
    """Credits on sale. `priceEuroCents` is what they cost."""

    id: UUID
    name: str
    description: str
    credits: int
    price_euro_cents: int
    stripe_price_id: str | None
    active: bool
    sort_order: int
    metadata: JsonObject | None


class StartPurchase(Model):
    """A package to buy. With both URLs the buyer pays on a Stripe Checkout page, otherwise in the client's own form.

    `{PURCHASE_ID}` in a URL becomes the id of the purchase.
    """

    package_id: Annotated[UUID, Field(description="Of GET /credits/packages")]
    success_url: str | None = None
    cancel_url: str | None = None


class Started(Model):
    """What the buyer needs to pay. `amount` is in euro cents."""

    purchase_id: UUID
    client_secret: str | None
    amount: int
    credits: int
    checkout_url: str | None


class Purchase(Model):
    """A purchase. `refundedEuroCents` is the part of its price that Stripe has given back to the buyer."""

    id: UUID
    user_id: str
    package_id: UUID
    credits: int
    price_euro_cents: int
    stripe_payment_intent_id: str | None
    stripe_customer_id: str | None
    status: PurchaseStatus
    metadata: JsonObject | None
    created_at: Instant
    completed_at: Instant | None
    refunded_euro_cents: int
    client_secret: str | None = None
    checkout_url: str | None = None


@api.operation("GET", "/credits/packages", answers=list[Package])
def list_packages() -> list[Package]:
    """Read what is on sale."""
    with reading(g.user.id) as reader:
        return [Package.model_validate(package) for package in package_rows.all_packages(reader, only_active=True)]


@api.operation(
    "POST",
    "/credits/purchase",
    answers=Started,
    refusals=[NotFound, KeyReused, TooManyPurchases, UserErased],
    keyed=True,
    queued=True,
)
def start_purchase(body: StartPurchase) -> Answer:
    """Start a purchase: a worker creates the payment at Stripe."""
    key = client_key("purchase", **body.model_dump(mode="json"))
    with transaction(g.user.id) as store:
        started = purchase_acts.start_purchase(
            store,
            user_id=g.user.id,
            package_id=body.package_id,
            redirects=_redirects(body),
            key=key,
            request_id=request_id(),
            now=datetime.now(UTC),
        )
    return wait_and_answer(started.recorded, model=Started.model_validate, purchase_id=started.purchase_id)


@api.operation("GET", "/credits/purchase/<uuid:purchase_id>", answers=Purchase, refusals=[NotFound])
def get_purchase(purchase_id: UUID) -> Purchase:
    """Read a purchase. While it is pending, the answer has what is needed to pay it."""
    with reading(g.user.id) as reader:
        return _show_purchase(purchase_rows.get(reader, purchase_id, owner=g.user.id))


@api.operation("GET", "/credits/purchases", answers=list[Purchase])
def list_purchases(query: ListQuery) -> Answer:
    """Read the purchases, newest first."""
    return list_own_rows(
        purchase_rows.of_user, query, position=lambda purchase: (purchase.created_at, purchase.id), show=_show_purchase
    )


def _show_purchase(purchase: DomainPurchase) -> Purchase:
    """Show a purchase; its secrets only while they can still be used."""
    shown = Purchase.model_validate(purchase)
    if purchase.status is not PurchaseStatus.PENDING:
        shown.client_secret = shown.checkout_url = None
    return shown


def _redirects(body: StartPurchase) -> Redirects | None:
    if body.success_url is None and body.cancel_url is None:
        return None
    if body.success_url is None or body.cancel_url is None:
        missing = "successUrl" if body.success_url is None else "cancelUrl"
        errors = [{"field": missing, "message": "successUrl and cancelUrl come together"}]
        raise BadRequest("The body is not valid", errors=errors)
    settings = current_parts().settings
    origins = (settings.own_origin, *settings.cors_origins)
    return Redirects(
        success_url=check_redirect(body.success_url, "successUrl", origins=origins),
        cancel_url=check_redirect(body.cancel_url, "cancelUrl", origins=origins),
    )
