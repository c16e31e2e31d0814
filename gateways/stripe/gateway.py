"""Creating objects at Stripe: every object that must exist once is requested with an idempotency key of ours.

Stripe keeps the answer to a key for 24 hours, refusals and errors of its own (5xx) included. So a key that met one, or
is older than 20 hours, is not used again: we look for our object by its metadata first, then use the next key.
A 5xx with `Stripe-Should-Retry: true` is not kept, so its key stays good.
Source: https://docs.stripe.com/api/idempotent_requests
"""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

import stripe

from domain.operations.stripe import begin_request, next_key, spend_key
from domain.rules.purchases import CURRENCY, Purchase, StripeObjects
from domain.store import Database
from domain.units import EuroCents, UserId
from gateways.errors import FinalError
from gateways.stripe.client import is_kept, translated, wants_retry

CLOCK_SKEW: Final = timedelta(minutes=10)

T = TypeVar("T")


class StripeGateway:
    """Creates and finds our objects at Stripe.

    Args:
        client: See `gateways.stripe.client.connect`.
        database: Where the generations of our idempotency keys are kept.
    """

    def __init__(self, client: stripe.StripeClient, *, database: Database) -> None:
        self._database = database
        self._client = client

    def ensure_customer(self, user_id: UserId) -> str:
        """Create the user's one Stripe customer, or find it; returns its id. No name or e-mail address is sent."""

        def find(since: datetime) -> str | None:
            # Listed, not searched: Stripe's search may not know an object that is a minute old.
            listed = self._client.v1.customers.list({"created": {"gte": int(since.timestamp())}, "limit": 100})
            ours = (
                customer.id
                for customer in listed.auto_paging_iter()
                if _metadata_of(customer).get("user_id") == user_id
            )
            return next(ours, None)

        def create(key: str) -> str:
            return self._client.v1.customers.create({"metadata": {"user_id": user_id}}, {"idempotency_key": key}).id

        return self._once(f"customer:{user_id}", find, create)

    def ensure_payment(self, purchase: Purchase, customer_id: str) -> StripeObjects:
        """Create what the buyer pays: a Checkout Session when the purchase has URLs, else a PaymentIntent."""
        if purchase.redirects is None:
            return self._ensure_intent(purchase, customer_id)
        return self._ensure_session(purchase, customer_id)

    def ensure_refund(self, purchase: Purchase, *, amount: EuroCents, reason: str, asked_before: EuroCents) -> str:
        """Refund a part of a purchase, once for each sum of earlier refunds; returns the refund's id."""
        intent_id = purchase.stripe_payment_intent_id
        if intent_id is None:
            raise FinalError(f"purchase {purchase.id} has no PaymentIntent to refund")
        mark = {"purchase_id": str(purchase.id), "asked_before": str(asked_before)}

        def find(_since: datetime) -> str | None:
            listed = self._client.v1.refunds.list({"payment_intent": intent_id, "limit": 100})
            ours = (refund.id for refund in listed.auto_paging_iter() if mark.items() <= _metadata_of(refund).items())
            return next(ours, None)

        def create(key: str) -> str:
            params: Any = {"payment_intent": intent_id, "amount": amount, "reason": reason, "metadata": mark}
            return self._client.v1.refunds.create(params, {"idempotency_key": key}).id

        return self._once(f"refund:{purchase.id}:{asked_before}", find, create)

    def _ensure_intent(self, purchase: Purchase, customer_id: str) -> StripeObjects:
        def find(_since: datetime) -> StripeObjects | None:
            intents = self._client.v1.payment_intents.list({"customer": customer_id, "limit": 100})
            return next((read(intent) for intent in intents.auto_paging_iter() if _is_of(intent, purchase)), None)

        def create(key: str) -> StripeObjects:
            params: Any = {
                "amount": purchase.price_euro_cents,
                "currency": CURRENCY,
                "customer": customer_id,
                "allowed_payment_method_types": ["card", "sepa_debit"],
                "description": f"{purchase.package_name}: {purchase.credits} credits",
                "metadata": _metadata(purchase),
            }
            return read(self._client.v1.payment_intents.create(params, {"idempotency_key": key}))

        def read(intent: stripe.PaymentIntent) -> StripeObjects:
            return StripeObjects(
                customer_id=customer_id, payment_intent_id=intent.id, client_secret=intent.client_secret
            )

        return self._once(f"purchase:{purchase.id}", find, create)

    def _ensure_session(self, purchase: Purchase, customer_id: str) -> StripeObjects:
        def find(_since: datetime) -> StripeObjects | None:
            sessions = self._client.v1.checkout.sessions.list({"customer": customer_id, "limit": 100})
            return next((read(session) for session in sessions.auto_paging_iter() if _is_of(session, purchase)), None)

        def create(key: str) -> StripeObjects:
            return read(
                self._client.v1.checkout.sessions.create(_session(purchase, customer_id), {"idempotency_key": key})
            )

        def read(session: stripe.checkout.Session) -> StripeObjects:
            return StripeObjects(customer_id=customer_id, checkout_session_id=session.id, checkout_url=session.url)

        return self._once(f"purchase:{purchase.id}", find, create)

    def _once(self, subject: str, find: Callable[[datetime], T | None], create: Callable[[str], T]) -> T:
        """Create an object at most once, even if Stripe or this process fails in between."""
        with translated():
            with self._database.begin() as store:
                request = begin_request(store, subject, now=datetime.now(UTC))
            if request.is_doubtful:
                existing = find(request.first_at - CLOCK_SKEW)
                if existing is not None:
                    return existing
                with self._database.begin() as store:
                    request = next_key(store, request, now=datetime.now(UTC))
            try:
                return create(_key(subject, request.generation))
            except stripe.StripeError as error:
                if is_kept(error.http_status) and not wants_retry(error):
                    with self._database.begin() as store:
                        spend_key(store, request)
                raise


def _session(purchase: Purchase, customer_id: str) -> Any:
    redirects = purchase.redirects
    if redirects is None:
        raise FinalError(f"purchase {purchase.id} has no URLs to return to")
    line = {
        "quantity": 1,
        "price_data": {
            "currency": CURRENCY,
            "unit_amount": purchase.price_euro_cents,
            "product_data": {"name": f"{purchase.package_name}: {purchase.credits} credits"},
        },
    }
    return {
        "mode": "payment",
        "customer": customer_id,
        "client_reference_id": str(purchase.id),
        "line_items": [line],
        "success_url": redirects.success_url,
        "cancel_url": redirects.cancel_url,
        "metadata": _metadata(purchase),
        "payment_intent_data": {"metadata": _metadata(purchase)},
    }


def _metadata(purchase: Purchase) -> dict[str, str]:
    return {"purchase_id": str(purchase.id), "user_id": purchase.user_id}


def _is_of(stripe_object: Any, purchase: Purchase) -> bool:
    return _metadata_of(stripe_object).get("purchase_id") == str(purchase.id)


def _key(subject: str, generation: int) -> str:
    return f"mana-credits-{hashlib.sha256(subject.encode()).hexdigest()[:32]}-{generation}"


def _metadata_of(stripe_object: Any) -> dict[str, str]:
    return stripe_object.metadata.to_dict() if stripe_object.metadata else {}
