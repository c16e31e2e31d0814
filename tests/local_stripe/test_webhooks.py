import time

import pytest
import stripe

from tests.support.local_stripe import SECRET, LocalStripe, Receiver, wait_until
from tests.support.stripe_calls import paid_intent


def make_customer(client: stripe.StripeClient) -> str:
    return client.v1.customers.create({"name": "Ada"}).id


def count_deliveries(receiver: Receiver, object_id: str) -> int:
    """Count the events about an object that arrived; late events of other tests do not count."""
    return sum(event["data"]["object"]["id"] == object_id for event in receiver.events())


def test_an_event_arrives_signed_and_as_the_api_shows_it(client: stripe.StripeClient, receiver: Receiver) -> None:
    customer = make_customer(client)
    wait_until(lambda: count_deliveries(receiver, customer) == 1)

    payload, signature = next(pair for pair in receiver.payloads if customer in pair[0])
    event = stripe.Webhook.construct_event(payload, signature, SECRET)
    assert (event.type, event.livemode, event.api_version) == ("customer.created", False, stripe.api_version)
    assert str(event.request.id if event.request else None).startswith("req_")
    wait_until(lambda: client.v1.events.retrieve(event.id).pending_webhooks == 0)
    shown = client.v1.events.retrieve(event.id).to_dict()
    assert shown | {"pending_webhooks": 1} == event.to_dict()
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(payload, signature, "whsec_other")


def test_an_event_is_sent_again_until_it_is_answered_well(client: stripe.StripeClient, receiver: Receiver) -> None:
    receiver.answers[:] = [500]

    customer = make_customer(client)

    wait_until(lambda: count_deliveries(receiver, customer) == 2)
    listed = client.v1.events.list({"delivery_success": False})
    wait_until(lambda: client.v1.events.list({"delivery_success": False}).data == [])
    assert len(listed.data) <= 1


def test_an_event_can_be_sent_again_on_demand(
    local: LocalStripe, client: stripe.StripeClient, receiver: Receiver
) -> None:
    customer = make_customer(client)
    wait_until(lambda: count_deliveries(receiver, customer) == 1)
    event = client.v1.events.list().data[0]

    local.control("POST", f"/events/{event.id}/deliver")

    wait_until(lambda: count_deliveries(receiver, customer) == 2)


def test_events_can_be_doubled(local: LocalStripe, client: stripe.StripeClient, receiver: Receiver) -> None:
    local.control("POST", "/webhooks", duplicate=3)

    customer = make_customer(client)

    wait_until(lambda: count_deliveries(receiver, customer) == 3)


def test_dropped_events_exist_and_never_arrive(
    local: LocalStripe, client: stripe.StripeClient, receiver: Receiver
) -> None:
    local.control("POST", "/webhooks", drop=1)

    dropped, sent = make_customer(client), make_customer(client)

    wait_until(lambda: count_deliveries(receiver, sent) == 1)
    assert count_deliveries(receiver, dropped) == 0
    assert len(client.v1.events.list().data) == 2


def test_suppressed_events_were_never_made(local: LocalStripe, client: stripe.StripeClient) -> None:
    local.control("POST", "/webhooks", suppress=2)

    customers = [make_customer(client) for _ in range(3)]

    customers_of_events = [event.data.to_dict()["object"]["id"] for event in client.v1.events.list().data]
    assert customers_of_events == [customers[2]]


def test_an_event_can_be_forged(local: LocalStripe, client: stripe.StripeClient, receiver: Receiver) -> None:
    intent = paid_intent(client)
    charge = local.control("POST", f"/objects/{intent.latest_charge}", amount=1, created=1_000_000_000)

    event = local.control("POST", "/events", type="charge.succeeded", object=charge["id"], livemode=True)

    assert (event["livemode"], event["data"]["object"]["amount"]) == (True, 1)
    wait_until(lambda: event["id"] in [received["id"] for received in receiver.events()])
    assert client.v1.charges.list({"created": {"lte": 1_000_000_000}}).data[0].id == charge["id"]


def test_paused_events_arrive_after_the_pause(
    local: LocalStripe, client: stripe.StripeClient, receiver: Receiver
) -> None:
    local.control("POST", "/webhooks", paused=True)
    customer = make_customer(client)
    time.sleep(0.4)
    assert count_deliveries(receiver, customer) == 0

    local.control("POST", "/webhooks", paused=False)

    wait_until(lambda: count_deliveries(receiver, customer) == 1)


def test_events_can_come_late(local: LocalStripe, client: stripe.StripeClient, receiver: Receiver) -> None:
    local.control("POST", "/webhooks", delay_s=0.5)
    started = time.monotonic()

    customer = make_customer(client)

    wait_until(lambda: count_deliveries(receiver, customer) == 1)
    assert time.monotonic() - started >= 0.5


def test_events_can_overtake_each_other(local: LocalStripe, client: stripe.StripeClient, receiver: Receiver) -> None:
    local.control("POST", "/webhooks", shuffle_s=1.0)

    customers = [make_customer(client) for _ in range(12)]

    wait_until(lambda: all(count_deliveries(receiver, customer) for customer in customers))
    arrived = [str(event["data"]["object"]["id"]) for event in receiver.events()]
    assert [object_id for object_id in arrived if object_id in customers] != customers


def test_a_setting_that_does_not_exist_is_refused(local: LocalStripe) -> None:
    body = '{"duplicates": 2}'

    answer = local.http("POST", "/_control/webhooks", body=body, headers={"Content-Type": "application/json"})

    assert answer.status == 400


def test_a_payment_sends_all_its_events(client: stripe.StripeClient, receiver: Receiver) -> None:
    intent = paid_intent(client)

    wait_until(lambda: len(receiver.types()) >= 3)
    assert {"payment_intent.created", "charge.succeeded", "payment_intent.succeeded"} <= set(receiver.types())
    assert count_deliveries(receiver, intent.id) == 2
