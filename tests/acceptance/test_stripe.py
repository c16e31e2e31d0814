"""Money that goes back, and events that never come, through every process and over every wire.

With `STRIPE_TEST_KEY` set, the same tests run against Stripe's real test mode (docs/stripe.md); those that need a
broken webhook are left out then.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.real_stripe import real_stripe_environment
from tests.support.service import Service, eventually


@pytest.fixture
def local(service: Service) -> Iterator[Service]:
    """The service with the local Stripe, whose webhooks are good again after the test."""
    if service.is_on_real_stripe:
        pytest.skip("only the local Stripe misbehaves on demand")
    yield service
    service.control("DELETE", "/webhooks")


def bought(service: Service, user: str, card: str = "pm_card_visa") -> str:
    """Start a purchase of 100 credits for 100 cents and pay it; returns its id."""
    started = service.bought(user)
    service.pay(started["clientSecret"], card)
    purchase_id: str = started["purchaseId"]
    return purchase_id


def completed(service: Service, user: str) -> str:
    purchase_id = bought(service, user)
    service.heard(lambda: service.balance(user), 100)
    return purchase_id


def shown(service: Service, user: str, purchase_id: str) -> tuple[str, int]:
    purchase: dict[str, Any] = service.purchase(user, purchase_id)
    return purchase["status"], purchase["refundedEuroCents"]


def test_a_refund_travels_from_the_command_to_stripe_and_back_to_the_ledger(service: Service, user: str) -> None:
    purchase_id = completed(service, user)

    refunded = service.command("refund", purchase_id, "--amount", "30")

    assert refunded.returncode == 0, refunded.stderr
    assert refunded.stdout.startswith("Refund re_")
    service.heard(lambda: shown(service, user, purchase_id), ("completed", 30))
    assert service.balance(user) == 70
    whole = service.command("refund", purchase_id)
    assert whole.returncode == 0, whole.stderr
    service.heard(lambda: shown(service, user, purchase_id), ("refunded", 100))
    assert service.balance(user) == 0
    refused = service.command("refund", purchase_id)
    assert (refused.returncode, "0 cents of it can be refunded" in refused.stderr) == (1, True)


@pytest.mark.parametrize(
    ("evidence", "balance", "end"),
    [("winning_evidence", 100, ("completed", 0)), ("losing_evidence", 0, ("refunded", 100))],
)
def test_a_dispute_takes_the_credits_and_a_won_one_gives_them_back(
    service: Service, user: str, evidence: str, balance: int, end: tuple[str, int]
) -> None:
    purchase_id = bought(service, user, "pm_card_createDispute")
    service.heard(lambda: shown(service, user, purchase_id), ("refunded", 100))
    assert service.balance(user) == 0
    intent_id = service.purchase(user, purchase_id)["stripePaymentIntentId"]
    (dispute,) = service.stripe.v1.disputes.list({"payment_intent": intent_id}).data

    service.stripe.v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": evidence}, "submit": True})

    service.heard(lambda: shown(service, user, purchase_id), end)
    assert service.balance(user) == balance


def test_credits_that_were_spent_are_owed_after_a_refund_until_the_next_top_up(service: Service, user: str) -> None:
    purchase_id = completed(service, user)
    spent = {"amount": 80, "appId": "chat", "description": "Questions"}
    assert service.call("POST", "/api/v1/credits/use", spent, user=user).status == 200

    assert service.command("refund", purchase_id).returncode == 0
    service.heard(lambda: service.balance(user), -80)
    bought(service, user)

    service.heard(lambda: service.balance(user), 20)


def test_a_webhook_that_was_down_for_a_day_is_healed_by_one_reconciliation(local: Service, user: str) -> None:
    local.control("POST", "/webhooks", drop=-1)
    purchases = [bought(local, user) for _ in range(5)]
    intent_id = local.purchase(user, purchases[0])["stripePaymentIntentId"]
    local.stripe.v1.refunds.create({"payment_intent": intent_id, "amount": 40})
    assert local.balance(user) == 0

    healed = local.command("reconcile", "--since", "24h")

    assert healed.returncode == 0, healed.stdout + healed.stderr
    assert local.balance(user) == 5 * 100 - 40
    assert "not known here before" in healed.stdout
    repeated = local.command("reconcile", "--since", "24h")
    assert repeated.returncode == 0
    assert local.balance(user) == 5 * 100 - 40


def test_events_that_were_never_made_are_found_by_comparing_the_objects(local: Service, user: str) -> None:
    local.control("POST", "/webhooks", suppress=-1)
    purchase_id = bought(local, user)
    intent_id = local.purchase(user, purchase_id)["stripePaymentIntentId"]
    local.stripe.v1.refunds.create({"payment_intent": intent_id, "amount": 40})
    assert local.command("reconcile").returncode == 0
    assert local.balance(user) == 0

    compared = local.command("reconcile", "--objects")

    assert compared.returncode == 0, compared.stdout + compared.stderr
    assert (shown(local, user, purchase_id), local.balance(user)) == (("completed", 40), 60)


def test_webhooks_that_are_doubled_and_shuffled_move_the_credits_once(local: Service, user: str) -> None:
    local.control("POST", "/webhooks", duplicate=3, shuffle_s=1.0)
    purchase_id = bought(local, user, "pm_card_createDispute")
    intent_id = local.purchase(user, purchase_id)["stripePaymentIntentId"]
    (dispute,) = local.stripe.v1.disputes.list({"payment_intent": intent_id}).data
    local.control("POST", f"/disputes/{dispute.id}/win")
    local.stripe.v1.refunds.create({"payment_intent": intent_id, "amount": 25})

    pending = "SELECT count(*) FROM jobs.jobs WHERE kind = 'stripe' AND payload::text LIKE %s AND state = 'done'"
    eventually(lambda: local.sql(pending, f"%{intent_id}%")[0][0] >= 8)

    local.heard(lambda: (shown(local, user, purchase_id), local.balance(user)), (("completed", 25), 75))


@pytest.mark.parametrize("moment", ["31d", "yesterday", "2199-01-01"])
def test_a_time_that_stripe_does_not_list_is_refused(service: Service, moment: str) -> None:
    assert service.command("reconcile", "--since", moment).returncode == 2


def test_the_switch_to_the_real_stripe_takes_only_keys_of_its_test_mode() -> None:
    assert real_stripe_environment({}) == {}
    assert real_stripe_environment({"STRIPE_TEST_KEY": "sk_test_1"}) == {
        "STRIPE_SECRET_KEY": "sk_test_1",
        "STRIPE_API_BASE": "",
    }
    with pytest.raises(ValueError, match="test mode"):
        real_stripe_environment({"STRIPE_TEST_KEY": "sk_live_1"})
