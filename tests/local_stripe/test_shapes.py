"""Every member of every response is annotated by stripe-python's typed objects."""

from typing import Any

import pytest
import stripe

from tests.local_stripe.annotations import ErrorObject, class_of, unknown_members
from tests.support.local_stripe import LocalStripe
from tests.support.stripe_calls import create_intent, create_session, paid_intent

KINDS = {
    "charge", "checkout.session", "customer", "dispute", "event", "payment_intent", "payment_method", "price",
    "product", "radar.early_fraud_warning", "refund",
}  # fmt: skip


@pytest.fixture
def everything(local: LocalStripe, client: stripe.StripeClient) -> dict[str, list[dict[str, Any]]]:
    """Objects of every kind, in many of the states that the simulator has."""
    customer = client.v1.customers.create({"email": "ada@example.org", "metadata": {"user_id": "u1"}})
    create_intent(client, customer=customer.id)
    client.v1.payment_intents.cancel(create_intent(client).id)
    for method in ("pm_card_visa_chargeDeclined", "pm_card_chargeDeclinedExpiredCard"):
        with pytest.raises(stripe.CardError):
            paid_intent(client, method)
    refund = client.v1.refunds.create({"payment_intent": paid_intent(client).id, "amount": 100})
    local.control("POST", f"/refunds/{refund.id}/fail")
    create_intent(client, confirm=True, payment_method="pm_card_authenticationRequired", return_url="http://shop.test/")
    paid_intent(client, "pm_card_authenticationRequired")
    paid_intent(client, "pm_sepaDebit")
    local.control("POST", f"/payment_intents/{paid_intent(client, 'pm_disputed_de').id}/settle")
    for method in ("pm_card_createDispute", "pm_card_createDisputeInquiry", "pm_card_createIssuerFraudRecord"):
        paid_intent(client, method)
    local.control("POST", f"/disputes/{client.v1.disputes.list().data[0].id}/win")
    create_session(client, customer=customer.id)
    client.v1.checkout.sessions.expire(create_session(client).id)
    local.form(str(create_session(client, customer_creation="always").url), number="4242424242424242", email="a@b.de")
    return {kind: local.control("GET", f"/objects/{kind}") for kind in local.control("GET", "/objects")}


def test_every_object_is_a_subset_of_its_typed_class(everything: dict[str, list[dict[str, Any]]]) -> None:
    unknown = {
        f"{kind}{path}"
        for kind, documents in everything.items()
        for document in documents
        for path in unknown_members(document, class_of(document))
    }

    assert set(everything) == KINDS
    assert unknown == set()


def test_every_event_holds_a_typed_object_and_has_a_type_that_exists(
    everything: dict[str, list[dict[str, Any]]],
) -> None:
    snapshots = [event["data"]["object"] for event in everything["event"]]

    unknown = {
        f"{snapshot['object']}{path}"
        for snapshot in snapshots
        for path in unknown_members(snapshot, class_of(snapshot))
    }

    assert len(snapshots) > 50
    assert unknown == set()


def test_expanded_lists_are_a_subset_too(local: LocalStripe, client: stripe.StripeClient) -> None:
    intent = paid_intent(client)
    client.v1.refunds.create({"payment_intent": intent.id})
    session = create_session(client)
    headers = {"Authorization": "Bearer sk_test_local"}

    charge = local.http("GET", f"/v1/charges/{intent.latest_charge}?expand[0]=refunds", headers=headers).json()
    with_lines = local.http("GET", f"/v1/checkout/sessions/{session.id}?expand[0]=line_items", headers=headers).json()

    assert len(charge["refunds"]["data"]) == len(with_lines["line_items"]["data"]) == 1
    assert list(unknown_members(charge, stripe.Charge)) == []
    assert list(unknown_members(with_lines, stripe.checkout.Session)) == []


@pytest.mark.parametrize(
    "method", ["pm_card_visa_chargeDeclined", "pm_card_chargeDeclinedIncorrectCvc", "pm_card_nothing"]
)
def test_every_error_is_a_subset_of_the_typed_error(
    local: LocalStripe, client: stripe.StripeClient, method: str
) -> None:
    path = f"/v1/payment_intents/{create_intent(client).id}/confirm"

    error = local.api("POST", path, payment_method=method).json()["error"]

    assert list(unknown_members(error, ErrorObject)) == []


def test_a_member_too_many_is_seen_at_any_depth() -> None:
    refund = {"object": "refund", "colour": "red", "metadata": {"free": "yes"}, "amount": "ten"}
    charge = {"payment_method_details": {"type": "card", "card": {"colour": "red"}}, "refunds": {"data": [refund]}}

    assert list(unknown_members(charge, stripe.Charge)) == [
        ".payment_method_details.card.colour", ".refunds.data[0].colour", ".refunds.data[0].amount: 'ten'",
    ]  # fmt: skip
