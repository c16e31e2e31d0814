from typing import Any

import pytest
import stripe

from tests.support.local_stripe import LocalStripe
from tests.support.stripe_calls import create_intent, event_types, paid_intent, pay


def test_a_new_intent_waits_for_a_payment_method(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create({"email": "ada@example.org"})

    intent = create_intent(client, customer=customer.id)

    assert (intent.status, intent.amount, intent.currency, intent.customer) == (
        "requires_payment_method", 999, "eur", customer.id,
    )  # fmt: skip
    assert intent.metadata["purchase_id"] == "p1"
    assert str(intent.client_secret).startswith(f"{intent.id}_secret_")
    assert intent.livemode is False


def test_a_good_card_pays(client: stripe.StripeClient) -> None:
    intent = paid_intent(client)

    charge = client.v1.charges.retrieve(str(intent.latest_charge))
    assert (intent.status, intent.amount_received) == ("succeeded", 999)
    assert (charge.status, charge.paid, charge.payment_intent) == ("succeeded", True, intent.id)
    assert event_types(client) == ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]


def test_an_intent_can_be_paid_as_it_is_created(client: stripe.StripeClient) -> None:
    intent = create_intent(client, confirm=True, payment_method="pm_card_visa")

    assert intent.status == "succeeded"


def test_a_declined_card_is_a_card_error_and_the_intent_can_be_tried_again(client: stripe.StripeClient) -> None:
    intent = create_intent(client)

    with pytest.raises(stripe.CardError) as refusal:
        pay(client, intent, "pm_card_visa_chargeDeclined")

    error = refusal.value.error
    assert error is not None
    assert (refusal.value.http_status, error.code, error.decline_code) == (402, "card_declined", "generic_decline")
    assert error.payment_intent is not None
    assert error.payment_intent.status == "requires_payment_method"
    assert event_types(client) == ["payment_intent.created", "charge.failed", "payment_intent.payment_failed"]
    assert pay(client, intent, "pm_card_visa").status == "succeeded"


@pytest.mark.parametrize(
    ("method", "code", "decline_code"),
    [
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", None),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", None),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", None),
    ],
)
def test_each_declined_card_tells_why(
    client: stripe.StripeClient, method: str, code: str, decline_code: str | None
) -> None:
    with pytest.raises(stripe.CardError) as refusal:
        paid_intent(client, method)

    error = refusal.value.error
    assert error is not None
    assert (error.code, error.to_dict().get("decline_code")) == (code, decline_code)


def test_three_d_secure_is_completed_by_the_control(local: LocalStripe, client: stripe.StripeClient) -> None:
    intent = paid_intent(client, "pm_card_authenticationRequired")
    assert intent.status == "requires_action"

    local.control("POST", f"/payment_intents/{intent.id}/authenticate")

    assert client.v1.payment_intents.retrieve(intent.id).status == "succeeded"
    assert event_types(client)[1:] == [
        "payment_intent.requires_action", "charge.succeeded", "payment_intent.succeeded",
    ]  # fmt: skip


def test_a_failed_three_d_secure_leaves_the_intent_open(local: LocalStripe, client: stripe.StripeClient) -> None:
    intent = paid_intent(client, "pm_card_authenticationRequired")

    local.control("POST", f"/payment_intents/{intent.id}/authenticate", passed=False)

    after = client.v1.payment_intents.retrieve(intent.id)
    assert after.status == "requires_payment_method"
    assert after.last_payment_error is not None
    assert after.last_payment_error.code == "payment_intent_authentication_failure"


def test_the_bank_page_leads_back_to_the_return_url(local: LocalStripe, client: stripe.StripeClient) -> None:
    return_url = "http://shop.test/back"
    intent = pay(client, create_intent(client), "pm_card_authenticationRequired", return_url=return_url)
    assert intent.next_action is not None
    assert intent.next_action.redirect_to_url is not None

    answer = local.form(str(intent.next_action.redirect_to_url.url), outcome="complete")

    assert answer.status == 303
    assert answer.headers["Location"].startswith(f"{return_url}?payment_intent={intent.id}&")
    assert answer.headers["Location"].endswith("redirect_status=succeeded")


def test_off_session_a_card_that_wants_authentication_is_declined(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.CardError, match="requires authentication"):
        pay(client, create_intent(client), "pm_card_authenticationRequired", off_session=True)


@pytest.mark.parametrize(
    ("method", "body", "end"),
    [
        ("pm_sepaDebit", {}, ("succeeded", "payment_intent.succeeded")),
        ("pm_failed_de", {}, ("requires_payment_method", "payment_intent.payment_failed")),
        ("pm_sepaDebit", {"outcome": "failed"}, ("requires_payment_method", "payment_intent.payment_failed")),
        ("pm_failed_de", {"outcome": "succeeded"}, ("succeeded", "payment_intent.succeeded")),
    ],
)
def test_a_bank_debit_is_processing_until_it_settles(
    local: LocalStripe, client: stripe.StripeClient, method: str, body: dict[str, str], end: tuple[str, str]
) -> None:
    intent = paid_intent(client, method)
    assert intent.status == "processing"
    assert event_types(client)[-1] == "payment_intent.processing"

    local.control("POST", f"/payment_intents/{intent.id}/settle", **body)

    assert (client.v1.payment_intents.retrieve(intent.id).status, event_types(client)[-1]) == end


def test_a_test_card_can_be_given_by_its_number(client: stripe.StripeClient) -> None:
    confirm: Any = {"payment_method_data": {"type": "card", "card": {"number": "4242424242424242"}}}

    intent = client.v1.payment_intents.confirm(create_intent(client).id, confirm)

    assert intent.status == "succeeded"


def test_an_unpaid_intent_is_cancelled_once(client: stripe.StripeClient) -> None:
    intent = create_intent(client)

    cancelled = client.v1.payment_intents.cancel(intent.id, {"cancellation_reason": "abandoned"})

    assert (cancelled.status, cancelled.cancellation_reason) == ("canceled", "abandoned")
    assert event_types(client)[-1] == "payment_intent.canceled"
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.payment_intents.cancel(intent.id)
    assert refusal.value.code == "payment_intent_unexpected_state"


@pytest.mark.parametrize("method", ["pm_card_visa", "pm_sepaDebit"])
def test_what_is_paid_or_on_its_way_is_not_cancelled(client: stripe.StripeClient, method: str) -> None:
    intent = paid_intent(client, method)

    with pytest.raises(stripe.InvalidRequestError, match="You cannot cancel this PaymentIntent"):
        client.v1.payment_intents.cancel(intent.id)


def test_a_card_cannot_pay_twice(client: stripe.StripeClient) -> None:
    intent = paid_intent(client)

    with pytest.raises(stripe.InvalidRequestError) as refusal:
        pay(client, intent, "pm_card_visa")

    assert refusal.value.code == "payment_intent_unexpected_state"


def test_metadata_is_merged_and_an_empty_value_removes_its_key(client: stripe.StripeClient) -> None:
    intent = create_intent(client, metadata={"kept": "1", "gone": "2"})

    changed = client.v1.payment_intents.update(intent.id, {"metadata": {"gone": "", "new": "3"}})

    assert changed.metadata.to_dict() == {"kept": "1", "new": "3"}


@pytest.mark.parametrize(
    ("more", "code", "param"),
    [
        ({"amount": "ten"}, "parameter_invalid_integer", "amount"),
        ({"amount": 49}, "amount_too_small", "amount"),
        ({"amount": 100_000_000}, "amount_too_large", "amount"),
        ({"amount": None}, "parameter_missing", "amount"),
        ({"currency": None}, "parameter_missing", "currency"),
        ({"customer": "cus_nobody"}, "resource_missing", "customer"),
        ({"colour": "red"}, "parameter_unknown", "colour"),
        ({"payment_method_types": ["card"]}, "payment_method_types_no_longer_supported", "payment_method_types"),
        ({"capture_method": "manual"}, None, "capture_method"),
    ],
)
def test_wrong_parameters_are_refused_by_name(
    client: stripe.StripeClient, more: dict[str, object], code: str | None, param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        create_intent(client, **more)

    assert (refusal.value.http_status, refusal.value.code, refusal.value.param) == (400, code, param)
    assert event_types(client) == []


def test_an_unknown_id_in_the_path_is_404(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.payment_intents.retrieve("pi_nothing")

    assert (refusal.value.http_status, refusal.value.code) == (404, "resource_missing")
    assert str(refusal.value.request_id).startswith("req_")


@pytest.mark.parametrize(
    "key", ["sk_live_real", "wrong"]
)  # fmt: skip
def test_only_test_keys_are_taken(local: LocalStripe, key: str) -> None:
    with pytest.raises(stripe.AuthenticationError) as refusal:
        create_intent(local.client(api_key=key))

    assert refusal.value.http_status == 401


def test_a_call_without_a_key_is_401_and_one_with_basic_is_taken(local: LocalStripe) -> None:
    assert local.http("GET", "/v1/customers").status == 401
    basic = {"Authorization": "Basic c2tfdGVzdF9sb2NhbDo="}  # sk_test_local:
    assert local.http("GET", "/v1/customers", headers=basic).status == 200


def test_related_objects_are_expanded_on_request(client: stripe.StripeClient) -> None:
    paid = paid_intent(client)

    intent = client.v1.payment_intents.retrieve(paid.id, {"expand": ["latest_charge.payment_intent"]})

    assert isinstance(intent.latest_charge, stripe.Charge)
    assert isinstance(intent.latest_charge.payment_intent, stripe.PaymentIntent)
