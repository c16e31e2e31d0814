import pytest
import stripe

from tests.support.local_stripe import LocalStripe
from tests.support.stripe_calls import event_types, paid_intent


def charge_of(client: stripe.StripeClient, intent: stripe.PaymentIntent) -> stripe.Charge:
    return client.v1.charges.retrieve(str(intent.latest_charge))


def test_a_payment_is_refunded_in_parts_and_never_beyond_what_was_paid(client: stripe.StripeClient) -> None:
    intent = paid_intent(client)

    first = client.v1.refunds.create({"payment_intent": intent.id, "amount": 400})
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded amount"):
        client.v1.refunds.create({"payment_intent": intent.id, "amount": 600})
    second = client.v1.refunds.create({"charge": str(intent.latest_charge), "reason": "requested_by_customer"})

    charge = charge_of(client, intent)
    assert (first.amount, first.status, second.amount) == (400, "succeeded", 599)
    assert (charge.amount_refunded, charge.refunded) == (999, True)
    assert event_types(client)[3:] == ["refund.created", "charge.refunded"] * 2
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.refunds.create({"payment_intent": intent.id})
    assert refusal.value.code == "charge_already_refunded"


def test_the_refunded_event_tells_what_was_before(client: stripe.StripeClient) -> None:
    intent = paid_intent(client)
    client.v1.refunds.create({"payment_intent": intent.id, "amount": 400})

    event = client.v1.events.list({"type": "charge.refunded"}).data[0]

    facts = event.data.to_dict()
    assert facts["object"]["amount_refunded"] == 400
    assert facts["previous_attributes"] == {"amount_refunded": 0}


def test_a_refund_that_fails_later_counts_no_more(local: LocalStripe, client: stripe.StripeClient) -> None:
    intent = paid_intent(client)
    refund = client.v1.refunds.create({"payment_intent": intent.id})

    local.control("POST", f"/refunds/{refund.id}/fail", reason="declined")

    failed = client.v1.refunds.retrieve(refund.id)
    charge = charge_of(client, intent)
    assert (failed.status, failed.failure_reason) == ("failed", "declined")
    assert (charge.amount_refunded, charge.refunded) == (0, False)
    assert {"refund.failed", "refund.updated"} <= set(event_types(client))


def test_some_cards_refund_late_or_not_at_all(local: LocalStripe, client: stripe.StripeClient) -> None:
    late = client.v1.refunds.create({"payment_intent": paid_intent(client, "pm_card_pendingRefund").id})
    never = client.v1.refunds.create({"payment_intent": paid_intent(client, "pm_card_refundFail").id})

    local.control("POST", f"/refunds/{late.id}/succeed")

    assert (late.status, client.v1.refunds.retrieve(late.id).status) == ("pending", "succeeded")
    assert client.v1.refunds.retrieve(never.id).status == "failed"


def test_what_is_not_paid_is_not_refunded(client: stripe.StripeClient) -> None:
    intent = paid_intent(client, "pm_sepaDebit")

    with pytest.raises(stripe.InvalidRequestError, match="does not have a successful charge"):
        client.v1.refunds.create({"payment_intent": intent.id})


def test_the_dispute_card_is_disputed_at_once(client: stripe.StripeClient) -> None:
    intent = paid_intent(client, "pm_card_createDispute")

    dispute = client.v1.disputes.list({"payment_intent": intent.id}).data[0]

    assert (dispute.status, dispute.reason, dispute.amount) == ("needs_response", "fraudulent", 999)
    assert charge_of(client, intent).disputed
    assert event_types(client)[3:] == ["charge.dispute.created", "charge.dispute.funds_withdrawn"]
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.refunds.create({"payment_intent": intent.id})
    assert refusal.value.code == "charge_disputed"


@pytest.mark.parametrize(
    ("verdict", "status", "events", "disputed"),
    [
        ("win", "won", ["charge.dispute.closed", "charge.dispute.funds_reinstated"], False),
        ("lose", "lost", ["charge.dispute.closed"], True),
    ],
)
def test_a_dispute_is_opened_and_decided_by_the_control(
    local: LocalStripe, client: stripe.StripeClient, verdict: str, status: str, events: list[str], *, disputed: bool
) -> None:
    intent = paid_intent(client)
    dispute = local.control("POST", f"/payment_intents/{intent.id}/dispute", reason="product_not_received", amount=500)

    local.control("POST", f"/disputes/{dispute['id']}/{verdict}")

    decided = client.v1.disputes.retrieve(dispute["id"])
    assert (decided.status, decided.amount, decided.reason) == (status, 500, "product_not_received")
    assert event_types(client)[5:] == events
    assert charge_of(client, intent).disputed is disputed


def test_an_inquiry_moves_no_money(local: LocalStripe, client: stripe.StripeClient) -> None:
    intent = paid_intent(client, "pm_card_createDisputeInquiry")
    inquiry = client.v1.disputes.list({"payment_intent": intent.id}).data[0]

    local.control("POST", f"/disputes/{inquiry.id}/win")

    assert inquiry.status == "warning_needs_response"
    assert client.v1.disputes.retrieve(inquiry.id).status == "warning_closed"
    assert event_types(client)[3:] == ["charge.dispute.created", "charge.dispute.closed"]


def test_winning_evidence_wins_and_closing_loses(client: stripe.StripeClient) -> None:
    first = paid_intent(client, "pm_card_createDispute")
    second = paid_intent(client, "pm_card_createDisputeProductNotReceived")
    won = client.v1.disputes.list({"payment_intent": first.id}).data[0]
    lost = client.v1.disputes.list({"payment_intent": second.id}).data[0]

    won = client.v1.disputes.update(won.id, {"evidence": {"uncategorized_text": "winning_evidence"}, "submit": True})
    lost = client.v1.disputes.close(lost.id)

    assert (won.status, lost.status) == ("won", "lost")
    with pytest.raises(stripe.InvalidRequestError, match="already closed"):
        client.v1.disputes.close(lost.id)


def test_an_early_fraud_warning_names_its_charge(local: LocalStripe, client: stripe.StripeClient) -> None:
    intent = paid_intent(client)

    local.control("POST", f"/charges/{intent.latest_charge}/warn", fraud_type="misc")

    event = client.v1.events.list({"type": "radar.early_fraud_warning.created"}).data[0]
    warning = event.data.to_dict()["object"]
    assert (warning["charge"], warning["payment_intent"]) == (intent.latest_charge, intent.id)
    assert (warning["fraud_type"], warning["actionable"]) == ("misc", True)
    assert client.v1.radar.early_fraud_warnings.list({"payment_intent": intent.id}).data[0].id == warning["id"]
