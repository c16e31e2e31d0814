"""What Stripe knows and we do not: events heard, listed, or never made; and purchases that nobody pays."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe

from domain.ids import new_id
from domain.operations.reconciliation import events_since
from domain.rules.job_kinds import ABANDONED, CANCEL, RECONCILE, RECONCILE_OBJECTS, REFUND, STRIPE_EVENT, STRIPE_OBJECT
from domain.rules.purchases import Purchase, PurchaseStatus, Redirects
from tests.support.in_process import InProcessService
from workers.handlers import reconciliation

URLS = Redirects(success_url="https://app.example/done", cancel_url="https://app.example/back")


def compare(in_process: InProcessService) -> None:
    """Compare all objects, as the nightly job does."""
    in_process.record(RECONCILE_OBJECTS, f"reconcile-objects:{new_id()}")
    in_process.work()


def state(in_process: InProcessService, purchase: Purchase) -> tuple[str, int, int]:
    refreshed = in_process.purchase(purchase.id)
    return refreshed.status.value, refreshed.refunded_euro_cents, in_process.balance()


def refund(in_process: InProcessService, purchase: Purchase, amount: int) -> stripe.Refund:
    return in_process.client.v1.refunds.create(
        {"payment_intent": str(purchase.stripe_payment_intent_id), "amount": amount}
    )


def suppress(in_process: InProcessService) -> None:
    in_process.local.control("POST", "/webhooks", suppress=-1)


def grow_old(in_process: InProcessService, hours: int = 25) -> None:
    made_at = datetime.now(UTC) - timedelta(hours=hours)
    in_process.sql("UPDATE credits.purchases SET created_at = :at", at=made_at)


def abandon(in_process: InProcessService) -> None:
    in_process.record(ABANDONED, f"abandoned:{new_id()}")
    in_process.work()


# ---------------------------------------------------------------- events


def test_events_that_never_arrived_are_listed_and_done(in_process: InProcessService) -> None:
    purchase = in_process.paid()

    in_process.hear()

    assert state(in_process, purchase) == ("completed", 0, 500)


def test_an_event_is_recorded_once_however_often_it_is_listed(in_process: InProcessService) -> None:
    in_process.paid()

    in_process.hear()
    in_process.hear()

    recorded = in_process.sql("SELECT jsonb_array_length(result -> 'recorded') FROM jobs.jobs WHERE kind = 'reconcile'")
    assert sorted(recorded) == [(0,), (1,)]
    assert in_process.states(STRIPE_EVENT) == ["done"]


def test_the_next_run_begins_shortly_before_the_newest_event_of_the_last(in_process: InProcessService) -> None:
    now = datetime.now(UTC)
    with in_process.database.single() as store:
        assert events_since(store, now=now) == now - timedelta(hours=24)
    in_process.paid()
    in_process.hear()

    with in_process.database.single() as store:
        since = events_since(store, now=now)
        assert timedelta(minutes=14) < now - since < timedelta(minutes=16)
        assert events_since(store, now=now + timedelta(days=90)) == now + timedelta(days=60)


def test_a_run_by_hand_does_not_move_the_cursor(in_process: InProcessService) -> None:
    in_process.paid()
    since = datetime.now(UTC) - timedelta(hours=1)

    in_process.record(RECONCILE, "reconcile:by-hand", since=since, by_hand=True)
    in_process.work()

    assert in_process.sql("SELECT count(*) FROM credits.stripe_cursors") == [(0,)]
    assert in_process.balance() == 500


def test_a_long_list_is_read_by_a_chain_of_jobs(in_process: InProcessService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciliation, "PAGES_MAX", 1)
    monkeypatch.setattr("gateways.stripe.reader.PAGE_SIZE", 2)
    purchases = [in_process.paid() for _ in range(5)]

    in_process.hear()

    assert [in_process.purchase(bought.id).status for bought in purchases] == [PurchaseStatus.COMPLETED] * 5
    assert in_process.states(RECONCILE) == ["done"] * 3
    assert in_process.sql("SELECT count(*) FROM credits.stripe_cursors") == [(1,)]


# ---------------------------------------------------------------- refunds and disputes, as Stripe tells them


def test_refunds_in_parts_take_credits_back_in_proportion(in_process: InProcessService) -> None:
    purchase = in_process.paid()
    for amount in (100, 77):
        refund(in_process, purchase, amount)

    in_process.hear()

    assert state(in_process, purchase) == ("completed", 177, 500 - 500 * 177 // 450)


def test_a_refund_that_fails_gives_back(in_process: InProcessService) -> None:
    purchase = in_process.paid()
    stripe_refund = refund(in_process, purchase, 450)
    in_process.hear()
    assert state(in_process, purchase) == ("refunded", 450, 0)

    in_process.local.control("POST", f"/refunds/{stripe_refund.id}/fail")
    in_process.hear()

    assert state(in_process, purchase) == ("completed", 0, 500)


def test_the_refunds_of_a_charge_are_asked_for_when_only_the_charge_told_of_them(in_process: InProcessService) -> None:
    purchase = in_process.paid()
    in_process.hear()
    suppress(in_process)
    refund(in_process, purchase, 100)
    in_process.local.control("DELETE", "/webhooks")
    (charge,) = in_process.local.control("GET", "/objects/charge")

    in_process.local.control("POST", "/events", type="charge.refunded", object=charge["id"])
    in_process.hear()

    assert state(in_process, purchase) == ("completed", 100, 500 - 111)


@pytest.mark.parametrize(("verdict", "left"), [("win", 500), ("lose", 0)])
def test_a_dispute_takes_and_a_won_one_gives_back(in_process: InProcessService, verdict: str, left: int) -> None:
    purchase = in_process.paid()
    dispute = in_process.local.control("POST", f"/payment_intents/{purchase.stripe_payment_intent_id}/dispute")
    in_process.hear()
    assert state(in_process, purchase) == ("refunded", 450, 0)

    in_process.local.control("POST", f"/disputes/{dispute['id']}/{verdict}")
    in_process.hear()

    assert in_process.balance() == left


def test_inquiries_and_fraud_warnings_take_nothing_and_are_written_down(in_process: InProcessService) -> None:
    inquiry, warning = (
        in_process.paid("pm_card_createDisputeInquiry"),
        in_process.paid("pm_card_createIssuerFraudRecord"),
    )

    in_process.hear()

    assert in_process.balance() == 1_000
    kinds = in_process.sql("SELECT purchase_id, kind, state FROM credits.stripe_takebacks ORDER BY kind")
    assert [tuple(row) for row in kinds] == [(inquiry.id, "dispute", "watched"), (warning.id, "warning", "watched")]


def test_a_refund_of_a_checkout_heard_before_its_payment_finds_its_purchase_at_stripe(
    in_process: InProcessService,
) -> None:
    purchase = in_process.started(redirects=URLS)
    session_id = str(purchase.stripe_checkout_session_id)
    page = in_process.local.url + f"/c/pay/{session_id}"
    paid = in_process.local.form(page, email="a@example.com", number="4242424242424242")
    assert paid.status in {200, 302, 303}, paid.text
    intent_id = str(in_process.client.v1.checkout.sessions.retrieve(session_id).payment_intent)
    in_process.client.v1.refunds.create({"payment_intent": intent_id, "amount": 450})
    events = in_process.client.v1.events.list({"type": "refund.created"}).data

    in_process.record(STRIPE_EVENT, f"stripe:{events[0].id}", event=events[0].to_dict())
    in_process.work()
    assert state(in_process, purchase) == ("pending", 0, 0)
    in_process.hear()

    assert state(in_process, purchase) == ("refunded", 450, 0)


def test_what_is_not_ours_is_ignored(in_process: InProcessService) -> None:
    wanted: Any = {"amount": 999, "currency": "eur", "confirm": True, "payment_method": "pm_card_visa"}
    foreign = in_process.client.v1.payment_intents.create(wanted)
    in_process.client.v1.refunds.create({"payment_intent": foreign.id})
    in_process.local.control("POST", f"/charges/{foreign.latest_charge}/warn")

    in_process.hear()
    compare(in_process)

    assert set(in_process.states(STRIPE_EVENT)) == {"done"}
    assert in_process.sql("SELECT count(*) FROM credits.stripe_takebacks") == [(0,)]


def test_a_payment_on_its_way_changes_nothing_yet(in_process: InProcessService) -> None:
    purchase = in_process.paid("pm_sepaDebit")
    in_process.hear()
    assert state(in_process, purchase) == ("pending", 0, 0)

    in_process.local.control(
        "POST", f"/payment_intents/{purchase.stripe_payment_intent_id}/settle", outcome="succeeded"
    )
    in_process.hear()

    assert state(in_process, purchase) == ("completed", 0, 500)


# ---------------------------------------------------------------- objects, where no event was made


def test_a_payment_a_refund_and_a_dispute_without_any_event_are_found(in_process: InProcessService) -> None:
    suppress(in_process)
    paid, refunded, disputed = in_process.paid(), in_process.paid(), in_process.paid()
    refund(in_process, refunded, 90)
    in_process.local.control("POST", f"/payment_intents/{disputed.stripe_payment_intent_id}/dispute", amount=45)

    in_process.hear()
    assert in_process.balance() == 0
    compare(in_process)

    assert state(in_process, paid)[:2] == ("completed", 0)
    assert state(in_process, refunded)[:2] == ("completed", 90)
    assert state(in_process, disputed) == ("completed", 45, 1_500 - 100 - 50)


def test_a_comparison_that_finds_nothing_records_nothing(in_process: InProcessService) -> None:
    purchase = in_process.paid()
    refund(in_process, purchase, 90)
    in_process.hear()

    compare(in_process)

    assert in_process.states(STRIPE_OBJECT) == []


def test_a_contradiction_is_left_to_a_person_once(in_process: InProcessService) -> None:
    purchase = in_process.paid()
    in_process.hear()
    intent_id = str(purchase.stripe_payment_intent_id)
    in_process.local.control("POST", f"/objects/{intent_id}", status="canceled")

    compare(in_process)
    compare(in_process)

    (reason,) = in_process.sql("SELECT message FROM jobs.attempts")
    assert "is credited, and its payment at Stripe is cancelled" in reason[0]
    assert in_process.states(STRIPE_OBJECT) == ["failed"]
    assert state(in_process, purchase) == ("completed", 0, 500)


# ---------------------------------------------------------------- abandoned purchases


@pytest.mark.parametrize("redirects", [None, URLS])
def test_a_purchase_nobody_paid_in_a_day_is_cancelled_at_stripe_and_here(
    in_process: InProcessService, redirects: Redirects | None
) -> None:
    purchase = in_process.started(redirects=redirects)
    grow_old(in_process)

    abandon(in_process)

    assert state(in_process, purchase) == ("cancelled", 0, 0)
    kind = "payment_intent" if redirects is None else "checkout.session"
    (ended,) = in_process.local.control("GET", f"/objects/{kind}")
    assert ended["status"] == ("canceled" if redirects is None else "expired")


def test_a_younger_purchase_is_left_alone(in_process: InProcessService) -> None:
    purchase = in_process.started()
    grow_old(in_process, hours=23)

    abandon(in_process)

    assert state(in_process, purchase)[0] == "pending"


def test_a_payment_on_its_way_is_never_cancelled_and_looked_at_again_the_next_day(in_process: InProcessService) -> None:
    purchase = in_process.paid("pm_sepaDebit")
    grow_old(in_process, hours=24 * 5)

    abandon(in_process)
    abandon(in_process)

    assert state(in_process, purchase)[0] == "pending"
    assert in_process.states(CANCEL) == ["done"]
    (intent,) = in_process.local.control("GET", "/objects/payment_intent")
    assert intent["status"] == "processing"


def test_a_purchase_that_was_paid_without_an_event_completes_instead(in_process: InProcessService) -> None:
    purchase = in_process.paid()
    grow_old(in_process)

    abandon(in_process)

    assert state(in_process, purchase) == ("completed", 0, 500)


def test_a_purchase_for_which_nothing_was_ever_made_is_cancelled(in_process: InProcessService) -> None:
    in_process.start()
    in_process.sql("UPDATE jobs.jobs SET state = 'failed', finished_at = now(), problem = '{}'")
    grow_old(in_process)

    abandon(in_process)

    assert in_process.sql("SELECT status FROM credits.purchases") == [("cancelled",)]


# ---------------------------------------------------------------- asking for a refund


def test_an_asked_refund_takes_the_credits_back_when_it_is_heard_of(in_process: InProcessService) -> None:
    purchase = in_process.paid()
    in_process.hear()

    payload = {"purchase_id": purchase.id, "amount": 90, "reason": "duplicate", "asked_before": 0}
    in_process.record(REFUND, f"refund:{purchase.id}:0", **payload)
    in_process.work()
    assert in_process.balance() == 500
    in_process.hear()

    assert state(in_process, purchase) == ("completed", 90, 400)
