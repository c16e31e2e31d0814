from pathlib import Path

import stripe

from tests.support.local_stripe import LocalStripe, Receiver, wait_until
from tests.support.stripe_calls import create_session, paid_intent


def test_a_killed_process_forgets_nothing(tmp_path: Path, endpoint: Receiver) -> None:
    local = LocalStripe(tmp_path, webhook_url=endpoint.url)
    client = local.client()
    intent = paid_intent(client)
    session = create_session(client)
    customer = client.v1.customers.create({"name": "Ada"}, {"idempotency_key": "k1"})
    local.control("POST", "/webhooks", paused=True)
    unsent = client.v1.customers.create({"name": "Eve"})

    local.kill()
    local.start()

    assert client.v1.payment_intents.retrieve(intent.id).status == "succeeded"
    assert client.v1.checkout.sessions.retrieve(session.id).status == "open"
    assert client.v1.customers.create({"name": "Ada"}, {"idempotency_key": "k1"}).id == customer.id
    wait_until(lambda: any(event["data"]["object"]["id"] == unsent.id for event in endpoint.events()))
    assert local.stop() == 0


def test_without_a_webhook_url_events_are_only_listed(tmp_path: Path) -> None:
    local = LocalStripe(tmp_path)

    client: stripe.StripeClient = local.client()
    client.v1.customers.create({})

    assert [event.pending_webhooks for event in client.v1.events.list().data] == [0]
    assert local.control("GET", "/webhooks/deliveries") == []
    local.stop()
