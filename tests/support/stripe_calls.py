"""Steps that many tests of the local Stripe need."""

from typing import Any

import stripe

SUCCESS_URL = "http://shop.test/paid?session={CHECKOUT_SESSION_ID}"


def create_intent(client: stripe.StripeClient, **more: Any) -> stripe.PaymentIntent:
    params: Any = {"amount": 999, "currency": "eur", "metadata": {"purchase_id": "p1"}} | more
    return client.v1.payment_intents.create(params)


def pay(client: stripe.StripeClient, intent: stripe.PaymentIntent, method: str, **more: Any) -> stripe.PaymentIntent:
    params: Any = {"payment_method": method} | more
    return client.v1.payment_intents.confirm(intent.id, params)


def paid_intent(client: stripe.StripeClient, method: str = "pm_card_visa") -> stripe.PaymentIntent:
    return pay(client, create_intent(client), method)


def create_session(client: stripe.StripeClient, **more: Any) -> stripe.checkout.Session:
    price = {"currency": "eur", "unit_amount": 999, "product_data": {"name": "100 credits"}}
    params: Any = {
        "mode": "payment",
        "line_items": [{"quantity": 1, "price_data": price}],
        "client_reference_id": "p1",
        "metadata": {"purchase_id": "p1"},
        "payment_intent_data": {"metadata": {"purchase_id": "p1"}},
        "success_url": SUCCESS_URL,
        "cancel_url": "http://shop.test/basket",
    }
    return client.v1.checkout.sessions.create(params | more)


def event_types(client: stripe.StripeClient) -> list[str]:
    """The types of all events, oldest first."""
    return [str(event.type) for event in client.v1.events.list({"limit": 100}).data][::-1]
