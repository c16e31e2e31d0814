"""A purchase from the first request to the ledger, through every process and over every wire."""

import pytest
from stripe import CardError

from tests.support.service import Service, eventually


def test_a_purchase_travels_from_request_to_ledger(service: Service, user: str) -> None:
    started = service.bought(user)
    assert set(started) == {"purchaseId", "clientSecret", "amount", "credits", "checkoutUrl"}

    service.pay(started["clientSecret"])

    purchase_id = started["purchaseId"]
    eventually(lambda: service.purchase(user, purchase_id)["status"], lambda status: status == "completed")
    assert service.balance(user) == started["credits"]
    (row,) = service.call("GET", "/api/v1/credits/transactions", user=user).body
    assert (row["type"], row["amount"], row["balanceAfter"]) == ("purchase", 100, 100)


def test_a_declined_card_fails_the_purchase_and_another_card_completes_it(service: Service, user: str) -> None:
    started = service.bought(user)
    purchase_id = started["purchaseId"]

    with pytest.raises(CardError):
        service.pay(started["clientSecret"], "pm_card_chargeDeclined")
    eventually(lambda: service.purchase(user, purchase_id)["status"], lambda status: status == "failed")
    assert service.balance(user) == 0
    service.pay(started["clientSecret"])

    eventually(lambda: service.purchase(user, purchase_id)["status"], lambda status: status == "completed")
    assert service.balance(user) == 100


def test_a_purchase_with_urls_leads_to_a_checkout_page(service: Service, user: str) -> None:
    package = service.call("GET", "/api/v1/credits/packages", user=user).body[0]
    origin = service.stack.base_url
    urls = {"successUrl": f"{origin}/done?s={{CHECKOUT_SESSION_ID}}", "cancelUrl": f"{origin}/back"}

    body = {"packageId": package["id"], **urls}
    started = service.call("POST", "/api/v1/credits/purchase", body, user=user, Prefer="wait=10")

    purchase = service.result(started, user)
    assert purchase["checkoutUrl"].startswith(service.stack.env["STRIPE_API_BASE"])
    assert purchase["clientSecret"] is None


def test_one_key_sent_twice_makes_one_purchase_and_one_payment(service: Service, user: str) -> None:
    first = service.buy(user, Idempotency_Key="k-1", Prefer="wait=10")
    purchase = service.result(first, user)

    second = service.buy(user, Idempotency_Key="k-1", Prefer="wait=10")

    assert second.body == purchase
    assert second.headers["idempotency-replayed"] == "true"
    assert service.sql("SELECT count(*) FROM credits.purchases WHERE user_id = %s", user) == [(1,)]


def test_a_client_that_does_not_want_to_wait_follows_its_job(service: Service, user: str) -> None:
    accepted = service.buy(user, Prefer="respond-async")

    assert (accepted.status, accepted.body["status"]) == (202, "pending")
    assert accepted.headers["location"] == accepted.body["statusUrl"]
    assert service.result(accepted, user)["purchaseId"] == accepted.body["purchaseId"]
