"""The operators' command line on a real database."""

import csv
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import text

from domain.operations import purchases as purchase_acts
from domain.operations.stripe_refunds import note_takeback
from domain.rules.bookkeeping import Standing
from domain.rules.purchases import StripeObjects
from domain.rules.stripe_refunds import Takeback, TakebackFact, TakebackKind, TakebackState
from domain.store import Database, invariants, ledger
from domain.units import EuroCents
from ops import following
from tests.support.command_line import call
from tests.support.credits import give, use_of
from tests.support.gifts import cancel, make_gift, redeem
from tests.support.holds import hold
from tests.support.jobs import ended_jobs, failed_job, state_of
from tests.support.purchases import offer, payment_fact, start_purchase
from tests.support.times import NOW
from tests.support.users import ANNA, BEN

pytestmark = pytest.mark.usefixtures("command_environment")


def json_of(*arguments: str) -> Any:
    result = call(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def buy(database: Database, user_id: str, *, at: datetime = NOW) -> str:
    """Buy 500 credits for 4.99 €, paid; returns the purchase's id."""
    package_id = offer(database, name=f"For {user_id} {at}")
    with database.begin() as store:
        purchase_id = start_purchase(store, package_id=package_id, user_id=user_id, at=at).purchase_id
        stripe_objects = StripeObjects(
            customer_id=f"cus_{user_id}", payment_intent_id=f"pi_{purchase_id}", client_secret="pay-me"
        )
        purchase_acts.attach_payment(store, purchase_id=purchase_id, payment=stripe_objects)
        payment = payment_fact(purchase_id, payment_intent_id=stripe_objects.payment_intent_id)
        purchase_acts.settle_payment(store, payment=payment, livemode=False, now=at)
        store.run(text("UPDATE jobs.jobs SET state = 'done', finished_at = now() WHERE state = 'pending'"))
    return str(purchase_id)


def test_jobs_are_listed_and_shown(database: Database) -> None:
    job_id = str(failed_job(database, message="[odd] message"))
    ended_jobs(database, 2)

    assert [job["jobId"] for job in json_of("jobs", "list", "--state", "failed")] == [job_id]
    assert len(json_of("jobs", "list", "--older-than", "30m")) == 2
    assert json_of("jobs", "show", job_id)["tries"][0]["worker"] == "here:1"
    assert "[odd] message" in call("jobs", "list").output
    assert "line 7" in call("jobs", "show", job_id).output
    assert call("jobs", "show", "019aa5d0-0000-7000-8000-000000000000").exit_code == 1
    assert call("jobs", "list", "--older-than", "soon").exit_code == 2


def test_a_job_is_retried_and_another_discarded_by_the_login(database: Database) -> None:
    first, second = failed_job(database), failed_job(database)

    json_of("jobs", "retry", str(first), "--why", "Stripe is back")
    json_of("jobs", "discard", str(second), "--why", "Of a test")

    assert (state_of(database, first), state_of(database, second)) == ("pending", "discarded")
    assert call("jobs", "discard", str(second), "--why", "Again").exit_code == 1
    with database.single() as store:
        acts = store.run(text("SELECT act, who LIKE 'cli:_%', why FROM jobs.acts ORDER BY act")).all()
    assert [tuple(act) for act in acts] == [("discard", True, "Of a test"), ("retry", True, "Stripe is back")]


def test_retry_all_asks_first_and_a_dry_run_does_nothing(database: Database) -> None:
    failed_job(database)

    assert json_of("jobs", "retry-all", "--dry-run")["matched"] == 1
    assert call("jobs", "retry-all").output.count("Retry these 1 jobs?") == 1  # nobody says yes
    assert json_of("jobs", "stats")["states"] == [{"kind": "prune", "state": "failed", "count": 1}]
    assert "runId" in json_of("jobs", "retry-all", "--yes")
    assert call("jobs", "retry-all", "--state", "done", "--yes").exit_code == 1


def test_a_user_is_shown_on_one_screen(database: Database) -> None:
    purchase_id = buy(database, "anna")
    failed_job(database)

    sheet = json_of("user", "anna")

    assert sheet["balance"]["balance"] == 500
    assert [purchase["id"] for purchase in sheet["purchases"]] == [purchase_id]
    assert "client_secret" not in sheet["purchases"][0]
    assert len(sheet["jobs"]) == 2
    assert "500 credits" in call("user", "anna").output


def test_the_books_of_a_period_are_written_as_csv(database: Database, tmp_path: Path) -> None:
    buy(database, "anna", at=NOW - timedelta(days=30))
    buy(database, "anna")
    give(database, "ben", 200)
    with database.begin() as store:
        ledger.append(store, use_of("anna", 300, description="=1+1"), now=NOW)

    period = ("--from", "2026-11-01", "--to", "2026-12-01", "--directory", str(tmp_path))
    summary = json_of("export", *period)

    assert summary["opening balance (credits)"] == 500
    assert summary["in: purchase (credits)"] == 500
    assert summary["in: grant (credits)"] == 200
    assert summary["out: usage (credits)"] == 300
    assert summary["closing balance (credits)"] == 900
    assert summary["paid in the period (cents)"] == 499
    assert summary["opening deferred revenue (cents)"] == 499
    assert summary["closing deferred revenue (cents)"] == 749  # 900 of 1200 credits, 998 cents paid: 748.5
    assert summary["earned in the period (cents)"] == 499 + 499 - 749
    with (tmp_path / "ledger.csv").open(encoding="utf-8") as opened:
        rows = list(csv.DictReader(opened))
    assert [row["amount"] for row in rows] == ["500", "-300", "200"]
    assert rows[1]["description"] == "'=1+1"
    with (tmp_path / "purchases.csv").open(encoding="utf-8") as opened:
        assert [row["price_euro_cents"] for row in csv.DictReader(opened)] == ["499"]


def test_a_refund_belongs_to_the_month_in_which_it_happened(database: Database, tmp_path: Path) -> None:
    bought_at, refunded_at = datetime(2026, 9, 20, tzinfo=UTC), datetime(2026, 10, 5, tzinfo=UTC)
    purchase_id = UUID(buy(database, "anna", at=bought_at))
    takeback = Takeback(
        stripe_id="re_1",
        kind=TakebackKind.REFUND,
        purchase_id=purchase_id,
        payment_intent_id=f"pi_{purchase_id}",
        amount=EuroCents(499),
        state=TakebackState.TAKEN,
    )
    with database.begin() as store:
        fact = TakebackFact(takeback=takeback, currency="eur", livemode=False)
        note_takeback(store, fact=fact, livemode=False, now=refunded_at)

    def month(begin: str, end: str) -> tuple[int, int, int]:
        summary = json_of("export", "--from", begin, "--to", end, "--directory", str(tmp_path))
        names = ("paid in the period", "refunded in the period", "closing deferred revenue")
        paid, refunded, deferred = (summary[f"{name} (cents)"] for name in names)
        return paid, refunded, deferred

    assert month("2026-09-01", "2026-10-01") == (499, 0, 499)
    assert month("2026-10-01", "2026-11-01") == (0, 499, 0)


def test_credits_in_gifts_and_on_hold_are_outstanding(database: Database, tmp_path: Path) -> None:
    give(database, "anna", 100)
    redeem(database, make_gift(database, size=10).gift, BEN)
    cancel(database, make_gift(database, size=20).gift)
    make_gift(database, size=30)
    hold(database, 5)

    tomorrow = datetime.now(UTC) + timedelta(days=1)
    summary = json_of("export", "--from", "2026-01-01", "--to", f"{tomorrow:%Y-%m-%d}", "--directory", str(tmp_path))

    parts = ("closing balance", "closing in open gifts", "closing on hold", "closing outstanding")
    assert [summary[f"{part} (credits)"] for part in parts] == [65, 30, 5, 100]


def test_deferred_revenue_stays_within_what_was_paid() -> None:
    def deferred(**facts: int) -> int:
        nothing = {"balances": 0, "gifts": 0, "holds": 0, "issued": 0, "paid": 0, "refunded": 0}
        return Standing(**(nothing | facts)).deferred  # type: ignore[arg-type]

    assert deferred() == 0
    assert deferred(balances=-5, issued=100, paid=100) == 0
    assert deferred(balances=100, issued=100, paid=90) == 90
    assert deferred(balances=150, issued=100, paid=90) == 90
    assert deferred(balances=50, issued=100, paid=100, refunded=20) == 40
    assert deferred(balances=30, gifts=10, holds=10, issued=100, paid=100) == 50


def payment_event_of(purchase_id: str) -> dict[str, Any]:
    """Write what Stripe reports of a payment; it names the buyer."""
    return {
        "id": "evt_1",
        "type": "payment_intent.succeeded",
        "created": 1,
        "data": {"object": {"metadata": {"purchase_id": purchase_id}, "receipt_email": "anna@example.com"}},
    }


def test_an_erased_user_leaves_the_books_as_they_were(database: Database) -> None:
    purchase_id = buy(database, "anna")
    buy(database, "ben")
    with database.begin() as store:
        ledger.append(store, use_of("anna", 1, description="A letter to Aunt Berta", metadata={"to": "Berta"}), now=NOW)
        ledger.append(store, use_of("ben", 1), now=NOW)
        store.run(
            text("""INSERT INTO jobs.jobs (id, kind, queue, key, payload, state, next_at, enqueued_at, created_at,
                    finished_at) VALUES (gen_random_uuid(), 'stripe', 'default', 'stripe:evt_1', :payload, 'done',
                    now(), now(), now(), now())"""),
            {"payload": json.dumps({"event": payment_event_of(purchase_id)})},
        )
        money = "SELECT user_id, seq, amount, balance_after, counterparty FROM credits.transactions ORDER BY 1, 2"
        before = store.run(text(money)).all()

    counts = json_of("erase", "anna", "--why", "Asked for", "--yes")

    assert counts == {"transactions": 2, "purchases": 1, "jobs": 2, "gifts": 0}
    with database.single() as store:
        assert store.run(text(money)).all() == before
        kept = store.run(
            text("""
                SELECT to_jsonb(t)::text FROM credits.transactions t WHERE user_id = 'anna' UNION ALL
                SELECT to_jsonb(p)::text FROM credits.purchases p WHERE user_id = 'anna' UNION ALL
                SELECT to_jsonb(j)::text FROM jobs.jobs j WHERE user_id IS DISTINCT FROM 'ben'""")
        )
        everything = "".join(kept.scalars())
        others = store.run(
            text("SELECT description FROM credits.transactions WHERE user_id = 'ben' ORDER BY seq LIMIT 1")
        ).scalar_one()
        act = store.run(text("SELECT act, user_id, why FROM jobs.acts")).one()
    for personal in ("Berta", "example.com", "pay-me"):
        assert personal not in everything
    assert others.startswith("Credit purchase")
    assert tuple(act) == ("erase", "anna", "Asked for")
    assert json_of("erase", "anna", "--why", "Again", "--yes")["transactions"] == 0


def test_nobody_is_erased_whose_jobs_still_need_their_payload(database: Database) -> None:
    give(database, "anna", 10)
    failed_job(database)

    result = call("erase", "anna", "--why", "Asked for", "--yes")

    assert result.exit_code == 1
    assert "1 jobs of this user must end first" in result.output
    with database.single() as store:
        assert store.run(text("SELECT description FROM credits.transactions")).scalar_one() == "To begin with"


def test_an_erasure_blanks_gifts_the_user_made_or_took_and_those_meant_for_the_users_address(
    database: Database,
) -> None:
    for user_id in ("anna", "ben"):
        give(database, user_id, 100)
    gift = make_gift(database, target_email="ben@example.com").gift
    ended = make_gift(database, target_email="ben@example.com").gift
    cancel(database, ended)
    taken = make_gift(database, target_email="anna2@example.com", creator_id=BEN).gift
    redeem(database, taken, ANNA)
    meant = make_gift(database, target_email="Anna@Example.com", creator_id=BEN).gift
    others = make_gift(database, target_email="cleo@example.com", creator_id=BEN).gift
    hold(database, 5)

    counts = json_of("erase", "anna", "--email", "anna@EXAMPLE.com", "--why", "Asked for", "--yes")

    assert counts["gifts"] == 5  # each touched row of each of the two reasons
    with database.single() as store:
        rows = store.run(text("SELECT id, creator_name, message, target_email FROM gifts.gift_codes")).all()
        reason = store.run(text("SELECT reason FROM credits.reservations")).scalar_one()
    assert {row.id: tuple(row)[1:] for row in rows} == {
        gift.id: (None, None, "ben@example.com"),
        ended.id: (None, None, "erased@invalid"),
        taken.id: ("Anna", None, "erased@invalid"),
        meant.id: ("Anna", None, "erased@invalid"),
        others.id: ("Anna", "For you", "cleo@example.com"),
    }
    assert reason == "erased"
    with database.single() as store:
        assert invariants.audit(store) == []


def test_the_service_itself_cannot_erase(database: Database) -> None:
    with database.begin() as store, pytest.raises(Exception, match="permission denied"):
        store.run(text("SELECT credits.erase('anna', NULL)"))


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE credits.transactions SET amount = 1, balance_after = 1, description = 'erased', metadata = NULL",
        "UPDATE credits.transactions SET description = 'another'",
        "DELETE FROM credits.transactions",
    ],
)
def test_an_erasure_opens_the_ledger_for_nothing_else(database: Database, database_url: str, change: str) -> None:
    give(database, "anna", 10)

    with psycopg.connect(database_url) as owner:
        owner.execute("SET credits.erasing = 'on'")
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation):
            owner.execute(change)


def test_the_ledger_refuses_even_an_erasure_outside_of_its_function(database: Database, database_url: str) -> None:
    give(database, "anna", 10)

    with psycopg.connect(database_url) as owner, pytest.raises(psycopg.errors.IntegrityConstraintViolation):
        owner.execute("UPDATE credits.transactions SET description = 'erased', metadata = NULL")


@pytest.fixture
def only_database_url(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands work without Redis, Stripe and the variables of the other processes."""
    for name in set(os.environ) - {"DATABASE_URL", "PATH", "HOME", "USER", "COLUMNS"}:
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("only_database_url")
def test_a_refund_needs_the_database_alone_and_says_what_it_waits_for(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    purchase_id = buy(database, "anna")
    monkeypatch.setattr(following, "PATIENCE_S", 0.0)

    recorded = call("refund", purchase_id, "--no-wait")
    waited = call("refund", purchase_id)

    job_id = recorded.stdout.strip()
    assert recorded.exit_code == 0, recorded.output
    assert state_of(database, UUID(job_id)) == "pending"
    assert waited.exit_code == 1
    assert f"Waiting for a worker to do job {job_id}" in waited.stderr
    assert f"Job {job_id} is recorded but still pending" in waited.output
    assert waited.output.count(f"mana-credits jobs show {job_id}") == 2
    assert json_of("jobs", "list", "--kind", "refund")[0]["jobId"] == job_id


@pytest.mark.usefixtures("only_database_url")
def test_reconciling_needs_the_database_alone(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "PATIENCE_S", 0.0)

    result = call("reconcile")

    (job,) = json_of("jobs", "list", "--kind", "reconcile")
    assert result.exit_code == 1
    assert f"Job {job['jobId']} is recorded but still pending" in result.output
    assert state_of(database, UUID(job["jobId"])) == "pending"
