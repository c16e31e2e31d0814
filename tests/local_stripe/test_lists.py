import time
from typing import Any

import pytest
import stripe

from tests.support.local_stripe import LocalStripe
from tests.support.stripe_calls import create_intent, paid_intent


def test_lists_are_newest_first_and_paged_both_ways(client: stripe.StripeClient) -> None:
    ids = [client.v1.customers.create({"name": str(number)}).id for number in range(5)][::-1]

    first = client.v1.customers.list({"limit": 2})
    second = client.v1.customers.list({"limit": 2, "starting_after": first.data[-1].id})
    last = client.v1.customers.list({"limit": 2, "starting_after": second.data[-1].id})
    back = client.v1.customers.list({"limit": 2, "ending_before": last.data[0].id})

    pages = [[customer.id for customer in page.data] for page in (first, second, last, back)]
    assert pages == [ids[:2], ids[2:4], ids[4:], ids[2:4]]
    assert [page.has_more for page in (first, second, last, back)] == [True, True, False, True]


def test_the_clients_own_paging_finds_every_object_once(client: stripe.StripeClient) -> None:
    ids = [client.v1.customers.create({"name": str(number)}).id for number in range(25)]

    customers = client.v1.customers.list({"limit": 10})

    assert [customer.id for customer in customers.auto_paging_iter()] == ids[::-1]


def test_intents_are_listed_by_customer_and_time(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create({"name": "Ada"})
    intent = create_intent(client, customer=customer.id)
    create_intent(client)
    now = int(time.time())

    by_customer = client.v1.payment_intents.list({"customer": customer.id})
    since = client.v1.payment_intents.list({"created": {"gte": now - 60}})
    later = client.v1.payment_intents.list({"created": {"gt": now + 60}})

    assert [listed.id for listed in by_customer.data] == [intent.id]
    assert (len(since.data), len(later.data)) == (2, 0)


def test_events_are_listed_by_type_and_time(client: stripe.StripeClient) -> None:
    paid_intent(client)
    since = int(time.time()) - 60

    types: Any = ["payment_intent.succeeded", "charge.refunded"]
    by_types = client.v1.events.list({"types": types, "created": {"gte": since}})
    by_pattern = client.v1.events.list({"type": "charge.*"})

    assert [event.type for event in by_types.data] == ["payment_intent.succeeded"]
    assert [event.type for event in by_pattern.data] == ["charge.succeeded"]
    assert client.v1.events.retrieve(by_types.data[0].id).type == "payment_intent.succeeded"


def test_customers_are_changed_found_by_email_and_deleted(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create({"email": "ada@example.org", "metadata": {"user_id": "u1"}})
    client.v1.customers.update(customer.id, {"name": "Ada"})
    by_email = client.v1.customers.list({"email": "ada@example.org"})
    assert [listed.name for listed in by_email.data] == ["Ada"]

    client.v1.customers.delete(customer.id)

    assert client.v1.customers.retrieve(customer.id).to_dict() == {
        "id": customer.id, "object": "customer", "deleted": True,
    }  # fmt: skip
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        create_intent(client, customer=customer.id)


@pytest.mark.parametrize(
    ("parameters", "param"), [({"limit": 101}, "limit"), ({"starting_after": "cus_no"}, "starting_after")]
)
def test_a_wrong_page_is_refused(client: stripe.StripeClient, parameters: dict[str, object], param: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.customers.list(parameters)  # type: ignore[arg-type]

    assert refusal.value.param == param


def test_the_control_counts_and_shows_what_was_made(local: LocalStripe, client: stripe.StripeClient) -> None:
    intent = paid_intent(client)

    assert local.control("GET", "/objects") == {"charge": 1, "event": 3, "payment_intent": 1, "payment_method": 1}
    assert [document["id"] for document in local.control("GET", "/objects/payment_intent")] == [intent.id]
