"""What is stored about Stripe: a user's customer, and the idempotency keys of objects to create once only."""

from datetime import datetime, timedelta
from typing import Final

from domain.rules.purchases import StripeRequest
from domain.store import Store
from domain.store import stripe as stripe_rows
from domain.units import UserId

KEY_LIFE: Final = timedelta(hours=20)
"""Stripe forgets a key after 24 hours (docs.stripe.com/api/idempotent_requests); we stop relying on it earlier."""


def keep_customer(store: Store, *, user_id: UserId, customer_id: str, now: datetime) -> str:
    """Write down a user's Stripe customer, and return the one to use: the first one written stays."""
    stripe_rows.add_customer(store, user_id, customer_id, now=now)
    return stripe_rows.customer_of(store, user_id) or customer_id


def begin_request(store: Store, subject: str, *, now: datetime) -> StripeRequest:
    """Tell which idempotency key to use for `subject`, writing down its first use."""
    stripe_rows.open_request(store, subject, now=now)
    request = stripe_rows.request_of(store, subject)
    is_doubtful = request.is_doubtful or request.first_at < now - KEY_LIFE
    return StripeRequest(
        subject=subject, generation=request.generation, first_at=request.first_at, is_doubtful=is_doubtful
    )


def spend_key(store: Store, request: StripeRequest) -> None:
    """Write down that Stripe keeps an error for this request's key and would repeat it."""
    stripe_rows.mark_spent(store, request)


def next_key(store: Store, request: StripeRequest, *, now: datetime) -> StripeRequest:
    """Move on to the next key, unless another worker has done so."""
    stripe_rows.advance_generation(store, request, now=now)
    return begin_request(store, request.subject, now=now)
