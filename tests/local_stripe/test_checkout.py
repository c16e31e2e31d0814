import time

import pytest
import stripe

from tests.support.local_stripe import LocalStripe
from tests.support.stripe_calls import create_session, event_types


def test_a_session_has_a_page_and_no_intent_yet(local: LocalStripe, client: stripe.StripeClient) -> None:
    session = create_session(client)

    page = local.page(str(session.url))

    assert (session.status, session.payment_status, session.payment_intent) == ("open", "unpaid", None)
    assert (session.amount_total, session.currency) == (999, "eur")
    assert session.id.startswith("cs_test_")
    assert page.status == 200
    for part in ("9.99 EUR", "100 credits", 'value="4242 4242 4242 4242"', "http://shop.test/basket", "Pay</button>"):
        assert part in page.text
    assert "<script" not in page.text


def test_paying_on_the_page_leads_to_the_success_url(local: LocalStripe, client: stripe.StripeClient) -> None:
    session = create_session(client)

    answer = local.form(str(session.url), number="4242 4242 4242 4242", email="ada@example.org")

    assert (answer.status, answer.headers["Location"]) == (303, f"http://shop.test/paid?session={session.id}")
    paid = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    assert (paid.status, paid.payment_status) == ("complete", "paid")
    assert paid.customer_details is not None
    assert paid.customer_details.email == "ada@example.org"
    assert isinstance(paid.payment_intent, stripe.PaymentIntent)
    assert paid.payment_intent.metadata["purchase_id"] == "p1"
    assert event_types(client) == [
        "payment_intent.created", "charge.succeeded", "payment_intent.succeeded", "checkout.session.completed",
    ]  # fmt: skip


def test_a_declined_card_stays_on_the_page_and_another_one_pays(
    local: LocalStripe, client: stripe.StripeClient
) -> None:
    session = create_session(client)

    declined = local.form(str(session.url), number="4000000000000002")
    answer = local.form(str(session.url), number="4242424242424242")

    assert declined.status == 422
    assert "Your card was declined." in declined.text
    assert answer.status == 303
    assert len(client.v1.payment_intents.list().data) == 1


def test_an_unknown_number_is_refused_before_any_payment(local: LocalStripe, client: stripe.StripeClient) -> None:
    session = create_session(client)

    answer = local.form(str(session.url), number="1234")

    assert (answer.status, client.v1.payment_intents.list().data) == (422, [])


@pytest.mark.parametrize(("outcome", "status"), [("complete", "complete"), ("fail", "open")])
def test_three_d_secure_is_asked_on_a_page(
    local: LocalStripe, client: stripe.StripeClient, outcome: str, status: str
) -> None:
    session = create_session(client)
    bank_url = local.form(str(session.url), number="4000002760003184").headers["Location"]
    assert "9.99 EUR" in local.page(bank_url).text

    return_url = local.form(bank_url, outcome=outcome).headers["Location"]

    assert return_url == session.url
    assert client.v1.checkout.sessions.retrieve(session.id).status == status
    assert local.page(return_url).status == (303 if status == "complete" else 200)


@pytest.mark.parametrize(
    ("outcome", "payment_status", "last"),
    [
        ("succeeded", "paid", "checkout.session.async_payment_succeeded"),
        ("failed", "unpaid", "checkout.session.async_payment_failed"),
    ],
)
def test_a_bank_debit_completes_the_session_before_the_money_is_there(
    local: LocalStripe, client: stripe.StripeClient, outcome: str, payment_status: str, last: str
) -> None:
    session = create_session(client)
    local.form(str(session.url), number="DE89 3704 0044 0532 0130 00")
    complete = client.v1.checkout.sessions.retrieve(session.id)
    assert (complete.status, complete.payment_status) == ("complete", "unpaid")

    local.control("POST", f"/payment_intents/{complete.payment_intent}/settle", outcome=outcome)

    assert client.v1.checkout.sessions.retrieve(session.id).payment_status == payment_status
    assert event_types(client)[-1] == last


def test_an_expired_session_cannot_be_paid(local: LocalStripe, client: stripe.StripeClient) -> None:
    session = create_session(client)

    expired = client.v1.checkout.sessions.expire(session.id)

    assert (expired.status, expired.url) == ("expired", None)
    assert event_types(client) == ["checkout.session.expired"]
    assert local.page(str(session.url)).status == 410
    local.form(str(session.url), number="4242424242424242")
    assert client.v1.payment_intents.list().data == []


def test_expiring_a_session_cancels_the_intent_of_its_failed_attempt(
    local: LocalStripe, client: stripe.StripeClient
) -> None:
    session = create_session(client)
    local.form(str(session.url), number="4000000000000002")

    client.v1.checkout.sessions.expire(session.id)

    assert [intent.status for intent in client.v1.payment_intents.list().data] == ["canceled"]


def test_a_complete_session_is_not_expired(local: LocalStripe, client: stripe.StripeClient) -> None:
    session = create_session(client)
    local.form(str(session.url), number="4242424242424242")

    with pytest.raises(stripe.InvalidRequestError, match="can be expired"):
        client.v1.checkout.sessions.expire(session.id)


@pytest.mark.parametrize("act", ["confirm", "cancel"])
def test_the_intent_of_a_session_is_left_to_the_session(
    local: LocalStripe, client: stripe.StripeClient, act: str
) -> None:
    session = create_session(client)
    local.form(str(session.url), number="4000000000000002")
    intent = client.v1.payment_intents.list().data[0]

    with pytest.raises(stripe.InvalidRequestError, match="created by Checkout"):
        getattr(client.v1.payment_intents, act)(intent.id)


def test_a_session_is_found_by_its_intent(local: LocalStripe, client: stripe.StripeClient) -> None:
    create_session(client)
    session = create_session(client)
    local.form(str(session.url), number="4242424242424242")
    intent = str(client.v1.checkout.sessions.retrieve(session.id).payment_intent)

    sessions = client.v1.checkout.sessions.list({"payment_intent": intent})

    assert [listed.id for listed in sessions.data] == [session.id]


def test_a_session_can_sell_a_price(client: stripe.StripeClient) -> None:
    price = client.v1.prices.create({"currency": "eur", "unit_amount": 500, "product_data": {"name": "50 credits"}})

    session = create_session(client, line_items=[{"price": price.id, "quantity": 3}])

    lines = client.v1.checkout.sessions.line_items.list(session.id)
    assert session.amount_total == 1500
    assert [(line.description, line.quantity, line.amount_total) for line in lines.data] == [("50 credits", 3, 1500)]


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"mode": "subscription"}, "mode"),
        ({"success_url": None}, "success_url"),
        ({"line_items": []}, "line_items"),
        ({"line_items": [{"price": "price_none", "quantity": 1}]}, "line_items[0][price]"),
        ({"expires_at": int(time.time()) + 60}, "expires_at"),
        ({"customer": "cus_nobody"}, "customer"),
        ({"payment_method_types": ["card"]}, "payment_method_types"),
        ({"payment_intent_data": {"colour": "red"}}, "payment_intent_data[colour]"),
    ],
)
def test_wrong_sessions_are_refused(client: stripe.StripeClient, more: dict[str, object], param: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        create_session(client, **more)

    assert refusal.value.param == param
    assert client.v1.checkout.sessions.list().data == []
