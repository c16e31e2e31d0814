"""Buying credits: packages on sale, starting a purchase, following it."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from flask import g
from pydantic import Field

from domain.errors import KeyReused, NotFound
from domain.operations import purchases as acts
from domain.rules.purchases import Purchase as DomainPurchase
from domain.rules.purchases import PurchaseStatus, Redirects
from web.http import auth
from web.http.answer import Answer
from web.http.api import Api
from web.http.idempotency import client_key
from web.http.lists import bad_cursor, decode, page_of
from web.http.models import Instant, JsonObject, Model, Page
from web.http.parts import current_parts, statement, transaction
from web.http.problems import BadRequest
from web.http.requests import request_id
from web.http.waiting import answer_of
from web.users.redirects import checked

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
    """A package to buy. With both URLs the buyer pays on a Stripe Checkout page, else in the client's own form.

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
    """A purchase, as far as it has come. `refundedEuroCents` is what of its price is with the buyer again."""

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
    with statement(g.user.id) as store:
        return [Package.model_validate(package) for package in acts.packages_on_sale(store)]


@api.operation("POST", "/credits/purchase", answers=Started, refusals=[NotFound, KeyReused], keyed=True, queued=True)
def start_purchase(body: StartPurchase) -> Answer:
    """Start a purchase: a worker makes what is to be paid at Stripe."""
    key = client_key("purchase", **body.model_dump(mode="json"))
    with transaction(g.user.id) as store:
        started = acts.start_purchase(
            store,
            user_id=g.user.id,
            package_id=body.package_id,
            redirects=_redirects(body),
            key=key,
            request_id=request_id(),
            now=datetime.now(UTC),
        )
    return answer_of(started.recorded, model=lambda result: Started(**_typed(result)), purchase_id=started.purchase_id)


@api.operation("GET", "/credits/purchase/<uuid:purchase_id>", answers=Purchase, refusals=[NotFound])
def get_purchase(purchase_id: UUID) -> Purchase:
    """Follow a purchase; while it is pending, with what is needed to pay it."""
    with statement(g.user.id) as store:
        return told(acts.get_purchase(store, purchase_id, owner=g.user.id))


@api.operation("GET", "/credits/purchases", answers=list[Purchase])
def list_purchases(query: Page) -> Answer:
    """Read the purchases, newest first."""
    older_than = _position(query.cursor) if query.cursor is not None else None
    with statement(g.user.id) as store:
        found = acts.purchases_of(
            store, user_id=g.user.id, limit=query.limit, offset=query.offset, older_than=older_than
        )
    last = f"{found[-1].created_at.isoformat()} {found[-1].id}" if found else None
    return page_of([told(one) for one in found], query, last=last)


def told(found: DomainPurchase) -> Purchase:
    """Tell a purchase; its secrets only while they can still be used."""
    made = Purchase.model_validate(found)
    if found.status is not PurchaseStatus.PENDING:
        made.client_secret = made.checkout_url = None
    return made


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
        success_url=checked(body.success_url, "successUrl", origins=origins),
        cancel_url=checked(body.cancel_url, "cancelUrl", origins=origins),
    )


def _position(cursor: str) -> tuple[datetime, UUID]:
    created_at, _, purchase_id = decode(cursor).partition(" ")
    try:
        return datetime.fromisoformat(created_at), UUID(purchase_id)
    except ValueError:
        raise bad_cursor() from None


def _typed(result: Any) -> dict[str, Any]:
    return {**result, "purchaseId": UUID(result["purchaseId"])}
