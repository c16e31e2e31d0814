"""What Stripe knows and we do not: events heard, listed, or never made; and purchases that nobody pays."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe

from domain.ids import new_id
from domain.operations.reconciliation import events_since
from domain.rules.job_kinds import ABANDONED, CANCEL, RECONCILE, RECONCILE_OBJECTS, REFUND, STRIPE_EVENT, STRIPE_OBJECT
from domain.rules.purchases import Purchase, PurchaseStatus, Redirects
from tests.integration.conftest import House
from workers.handlers import reconciliation

URLS = Redirects(success_url="https://app.example/done", cancel_url="https://app.example/back")


def compare(house: House) -> None:
    """Compare all objects, as the nightly job does."""
    house.record(RECONCILE_OBJECTS, f"reconcile-objects:{new_id()}")
    house.work()


def state(house: House, purchase: Purchase) -> tuple[str, int, int]:
    found = house.purchase(purchase.id)
    return found.status.value, found.refunded_euro_cents, house.balance()


def refund(house: House, purchase: Purchase, amount: int) -> stripe.Refund:
    return house.client.v1.refunds.create({"payment_intent": str(purchase.stripe_payment_intent_id), "amount": amount})


def suppress(house: House) -> None:
    house.local.control("POST", "/webhooks", suppress=-1)


def grow_old(house: House, hours: int = 25) -> None:
    made_at = datetime.now(UTC) - timedelta(hours=hours)
    house.sql("UPDATE credits.purchases SET created_at = :at", at=made_at)


def abandon(house: House) -> None:
    house.record(ABANDONED, f"abandoned:{new_id()}")
    house.work()


# ---------------------------------------------------------------- events


def test_events_that_never_arrived_are_listed_and_done(house: House) -> None:
    purchase = house.paid()

    house.hear()

    assert state(house, purchase) == ("completed", 0, 500)


def test_an_event_is_recorded_once_however_often_it_is_listed(house: House) -> None:
    house.paid()

    house.hear()
    house.hear()

    recorded = house.sql("SELECT jsonb_array_length(result -> 'recorded') FROM jobs.jobs WHERE kind = 'reconcile'")
    assert sorted(recorded) == [(0,), (1,)]
    assert house.states(STRIPE_EVENT) == ["done"]


def test_the_next_run_begins_shortly_before_the_newest_event_of_the_last(house: House) -> None:
    now = datetime.now(UTC)
    with house.database.single() as store:
        assert events_since(store, now=now) == now - timedelta(hours=24)
    house.paid()
    house.hear()

    with house.database.single() as store:
        since = events_since(store, now=now)
        assert timedelta(minutes=14) < now - since < timedelta(minutes=16)
        assert events_since(store, now=now + timedelta(days=90)) == now + timedelta(days=60)


def test_a_run_by_hand_does_not_move_the_cursor(house: House) -> None:
    house.paid()
    since = datetime.now(UTC) - timedelta(hours=1)

    house.record(RECONCILE, "reconcile:by-hand", since=since, by_hand=True)
    house.work()

    assert house.sql("SELECT count(*) FROM credits.stripe_cursors") == [(0,)]
    assert house.balance() == 500


def test_a_long_list_is_read_by_a_chain_of_jobs(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciliation, "PAGES_MAX", 1)
    monkeypatch.setattr("gateways.stripe.reader.PAGE_SIZE", 2)
    purchases = [house.paid() for _ in range(5)]

    house.hear()

    assert [house.purchase(one.id).status for one in purchases] == [PurchaseStatus.COMPLETED] * 5
    assert house.states(RECONCILE) == ["done"] * 3
    assert house.sql("SELECT count(*) FROM credits.stripe_cursors") == [(1,)]


# ---------------------------------------------------------------- refunds and disputes, as Stripe tells them


def test_refunds_in_parts_take_credits_back_in_proportion(house: House) -> None:
    purchase = house.paid()
    for amount in (100, 77):
        refund(house, purchase, amount)

    house.hear()

    assert state(house, purchase) == ("completed", 177, 500 - 500 * 177 // 450)


def test_a_refund_that_fails_gives_back(house: House) -> None:
    purchase = house.paid()
    made = refund(house, purchase, 450)
    house.hear()
    assert state(house, purchase) == ("refunded", 450, 0)

    house.local.control("POST", f"/refunds/{made.id}/fail")
    house.hear()

    assert state(house, purchase) == ("completed", 0, 500)


def test_the_refunds_of_a_charge_are_asked_for_when_only_the_charge_told_of_them(house: House) -> None:
    purchase = house.paid()
    house.hear()
    suppress(house)
    refund(house, purchase, 100)
    house.local.control("DELETE", "/webhooks")
    (charge,) = house.local.control("GET", "/objects/charge")

    house.local.control("POST", "/events", type="charge.refunded", object=charge["id"])
    house.hear()

    assert state(house, purchase) == ("completed", 100, 500 - 111)


@pytest.mark.parametrize(("verdict", "left"), [("win", 500), ("lose", 0)])
def test_a_dispute_takes_and_a_won_one_gives_back(house: House, verdict: str, left: int) -> None:
    purchase = house.paid()
    dispute = house.local.control("POST", f"/payment_intents/{purchase.stripe_payment_intent_id}/dispute")
    house.hear()
    assert state(house, purchase) == ("refunded", 450, 0)

    house.local.control("POST", f"/disputes/{dispute['id']}/{verdict}")
    house.hear()

    assert house.balance() == left


def test_inquiries_and_fraud_warnings_take_nothing_and_are_written_down(house: House) -> None:
    inquiry, warning = house.paid("pm_card_createDisputeInquiry"), house.paid("pm_card_createIssuerFraudRecord")

    house.hear()

    assert house.balance() == 1_000
    kinds = house.sql("SELECT purchase_id, kind, state FROM credits.stripe_takebacks ORDER BY kind")
    assert [tuple(row) for row in kinds] == [(inquiry.id, "dispute", "watched"), (warning.id, "warning", "watched")]


def test_a_refund_of_a_checkout_heard_before_its_payment_finds_its_purchase_at_stripe(house: House) -> None:
    purchase = house.started(redirects=URLS)
    session_id = str(purchase.stripe_checkout_session_id)
    page = house.local.url + f"/c/pay/{session_id}"
    paid = house.local.form(page, email="a@example.com", number="4242424242424242")
    assert paid.status in {200, 302, 303}, paid.text
    intent_id = str(house.client.v1.checkout.sessions.retrieve(session_id).payment_intent)
    house.client.v1.refunds.create({"payment_intent": intent_id, "amount": 450})
    events = house.client.v1.events.list({"type": "refund.created"}).data

    house.record(STRIPE_EVENT, f"stripe:{events[0].id}", event=events[0].to_dict())
    house.work()
    assert state(house, purchase) == ("pending", 0, 0)
    house.hear()

    assert state(house, purchase) == ("refunded", 450, 0)


def test_what_is_not_ours_is_ignored(house: House) -> None:
    wanted: Any = {"amount": 999, "currency": "eur", "confirm": True, "payment_method": "pm_card_visa"}
    foreign = house.client.v1.payment_intents.create(wanted)
    house.client.v1.refunds.create({"payment_intent": foreign.id})
    house.local.control("POST", f"/charges/{foreign.latest_charge}/warn")

    house.hear()
    compare(house)

    assert set(house.states(STRIPE_EVENT)) == {"done"}
    assert house.sql("SELECT count(*) FROM credits.stripe_takebacks") == [(0,)]


def test_a_payment_on_its_way_changes_nothing_yet(house: House) -> None:
    purchase = house.paid("pm_sepaDebit")
    house.hear()
    assert state(house, purchase) == ("pending", 0, 0)

    house.local.control("POST", f"/payment_intents/{purchase.stripe_payment_intent_id}/settle", outcome="succeeded")
    house.hear()

    assert state(house, purchase) == ("completed", 0, 500)


# ---------------------------------------------------------------- objects, where no event was made


def test_a_payment_a_refund_and_a_dispute_without_any_event_are_found(house: House) -> None:
    suppress(house)
    paid, refunded, disputed = house.paid(), house.paid(), house.paid()
    refund(house, refunded, 90)
    house.local.control("POST", f"/payment_intents/{disputed.stripe_payment_intent_id}/dispute", amount=45)

    house.hear()
    assert house.balance() == 0
    compare(house)

    assert state(house, paid)[:2] == ("completed", 0)
    assert state(house, refunded)[:2] == ("completed", 90)
    assert state(house, disputed) == ("completed", 45, 1_500 - 100 - 50)


def test_a_comparison_that_finds_nothing_records_nothing(house: House) -> None:
    purchase = house.paid()
    refund(house, purchase, 90)
    house.hear()

    compare(house)

    assert house.states(STRIPE_OBJECT) == []


def test_a_contradiction_is_left_to_a_person_once(house: House) -> None:
    purchase = house.paid()
    house.hear()
    intent_id = str(purchase.stripe_payment_intent_id)
    house.local.control("POST", f"/objects/{intent_id}", status="canceled")

    compare(house)
    compare(house)

    (reason,) = house.sql("SELECT message FROM jobs.attempts")
    assert "is credited, and its payment at Stripe is cancelled" in reason[0]
    assert house.states(STRIPE_OBJECT) == ["failed"]
    assert state(house, purchase) == ("completed", 0, 500)


# ---------------------------------------------------------------- abandoned purchases


@pytest.mark.parametrize("redirects", [None, URLS])
def test_a_purchase_nobody_paid_in_a_day_is_cancelled_at_stripe_and_here(
    house: House, redirects: Redirects | None
) -> None:
    purchase = house.started(redirects=redirects)
    grow_old(house)

    abandon(house)

    assert state(house, purchase) == ("cancelled", 0, 0)
    kind = "payment_intent" if redirects is None else "checkout.session"
    (ended,) = house.local.control("GET", f"/objects/{kind}")
    assert ended["status"] == ("canceled" if redirects is None else "expired")


def test_a_younger_purchase_is_left_alone(house: House) -> None:
    purchase = house.started()
    grow_old(house, hours=23)

    abandon(house)

    assert state(house, purchase)[0] == "pending"


def test_a_payment_on_its_way_is_never_cancelled_and_looked_at_again_the_next_day(house: House) -> None:
    purchase = house.paid("pm_sepaDebit")
    grow_old(house, hours=24 * 5)

    abandon(house)
    abandon(house)

    assert state(house, purchase)[0] == "pending"
    assert house.states(CANCEL) == ["done"]
    (intent,) = house.local.control("GET", "/objects/payment_intent")
    assert intent["status"] == "processing"


def test_a_purchase_that_was_paid_unheard_completes_instead(house: House) -> None:
    purchase = house.paid()
    grow_old(house)

    abandon(house)

    assert state(house, purchase) == ("completed", 0, 500)


def test_a_purchase_for_which_nothing_was_ever_made_is_cancelled(house: House) -> None:
    house.start()
    house.sql("UPDATE jobs.jobs SET state = 'failed', finished_at = now(), problem = '{}'")
    grow_old(house)

    abandon(house)

    assert house.sql("SELECT status FROM credits.purchases") == [("cancelled",)]


# ---------------------------------------------------------------- asking for a refund


def test_an_asked_refund_takes_the_credits_back_when_it_is_heard_of(house: House) -> None:
    purchase = house.paid()
    house.hear()

    payload = {"purchase_id": purchase.id, "amount": 90, "reason": "duplicate", "asked_before": 0}
    house.record(REFUND, f"refund:{purchase.id}:0", **payload)
    house.work()
    assert house.balance() == 500
    house.hear()

    assert state(house, purchase) == ("completed", 90, 400)
