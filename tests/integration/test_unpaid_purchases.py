"""Unpaid purchases: a user may have so many within an hour and a day, and old ones are deleted."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import psycopg
import pytest

from domain.errors import TooManyPurchases
from domain.operations.purchases import PurchaseStarted
from domain.operations.purchases import start_purchase as start
from domain.rules.job_kinds import PRUNE
from domain.rules.purchases import PaymentOutcome
from domain.store import Database
from domain.units import UserId
from tests.support.jobs import work_on
from tests.support.keys import client_key
from tests.support.plain_sql import rows
from tests.support.purchases import offer, payment_fact, settle, start_purchase
from tests.support.threads import at_once
from tests.support.times import NOW, now

MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)


def bought(
    database: Database, package_id: UUID, *, at: datetime = NOW, user_id: str = "anna", key: str | None = None
) -> PurchaseStarted:
    with database.begin() as store:
        return start(
            store,
            user_id=UserId(user_id),
            package_id=package_id,
            redirects=None,
            key=client_key(key) if key else None,
            request_id=None,
            now=at,
        )


def test_the_eleventh_unpaid_purchase_of_an_hour_is_refused_until_the_first_is_an_hour_old(database: Database) -> None:
    package_id = offer(database)
    for number in range(10):
        bought(database, package_id, at=NOW + number * MINUTE)

    with pytest.raises(TooManyPurchases) as refusal:
        bought(database, package_id, at=NOW + 10 * MINUTE)

    assert refusal.value.retry_after_s == 50 * 60
    assert refusal.value.details == {"unpaidMax": 10, "periodSeconds": 3600}
    assert bought(database, package_id, at=NOW + HOUR).recorded.replayed is False


def test_the_thirty_first_unpaid_purchase_of_a_day_is_refused(database: Database) -> None:
    package_id = offer(database)
    for number in range(30):
        bought(database, package_id, at=NOW + number * 10 * MINUTE)

    with pytest.raises(TooManyPurchases) as refusal:
        bought(database, package_id, at=NOW + 23 * HOUR)

    assert refusal.value.retry_after_s == 60 * 60


def test_a_refused_purchase_leaves_no_job(database: Database, database_url: str) -> None:
    package_id = offer(database)
    for number in range(10):
        bought(database, package_id, key=f"k-{number}")

    with pytest.raises(TooManyPurchases):
        bought(database, package_id, key="k-10")

    assert rows(database_url, "SELECT count(*) FROM jobs.jobs") == [(10,)]


def test_a_repeated_key_is_answered_when_no_purchase_may_be_started(database: Database) -> None:
    package_id = offer(database)
    purchases = [bought(database, package_id, key=f"k-{number}") for number in range(10)]

    again = bought(database, package_id, key="k-3")

    assert (again.recorded.replayed, again.purchase_id) == (True, purchases[3].purchase_id)


def test_a_paid_purchase_makes_room_for_another(database: Database) -> None:
    package_id = offer(database)
    purchases = [bought(database, package_id) for _ in range(10)]
    settle(database, payment_fact(purchases[0].purchase_id))

    assert bought(database, package_id).recorded.replayed is False


def test_a_declined_card_makes_no_room_for_another(database: Database) -> None:
    package_id = offer(database)
    purchases = [bought(database, package_id) for _ in range(10)]
    settle(database, payment_fact(purchases[0].purchase_id, PaymentOutcome.FAILED))
    settle(database, payment_fact(purchases[1].purchase_id, PaymentOutcome.CANCELLED, payment_intent_id="pi_2"))

    with pytest.raises(TooManyPurchases):
        bought(database, package_id)


def test_another_user_is_not_refused(database: Database) -> None:
    package_id = offer(database)
    for _ in range(10):
        bought(database, package_id)

    assert bought(database, package_id, user_id="ben").recorded.replayed is False


def test_of_thirty_purchases_started_at_once_ten_are_recorded(database: Database, database_url: str) -> None:
    package_id = offer(database)

    def buy(_number: int) -> PurchaseStarted:
        with database.begin() as store:
            return start_purchase(store, package_id=package_id)

    answers = at_once(30, buy)

    assert sum(isinstance(answer, TooManyPurchases) for answer in answers) == 20
    assert rows(database_url, "SELECT count(*) FROM credits.purchases") == [(10,)]


def test_old_cancelled_purchases_are_deleted_and_no_others(database: Database, database_url: str) -> None:
    package_id = offer(database)
    purchases = {
        (outcome, days): bought(database, package_id, at=now() - timedelta(days=days)).purchase_id
        for outcome in PaymentOutcome
        for days in (92, 89)
    }
    for number, ((outcome, _days), purchase_id) in enumerate(purchases.items()):
        settle(database, payment_fact(purchase_id, outcome, payment_intent_id=f"pi_{number}"))

    job = work_on(database, PRUNE)

    assert job.result == {"deleted": 0, "purchases": 1}
    left = {purchase_id for (purchase_id,) in rows(database_url, "SELECT id FROM credits.purchases")}
    assert set(purchases.values()) - left == {purchases[PaymentOutcome.CANCELLED, 92]}


@pytest.mark.parametrize("status", ["pending", "failed"])
def test_the_database_refuses_to_delete_a_purchase_that_can_matter(
    database: Database, database_url: str, status: str
) -> None:
    bought(database, offer(database), at=NOW - timedelta(days=400))
    rows(database_url, "UPDATE credits.purchases SET status = %s", status)

    with pytest.raises(psycopg.errors.IntegrityConstraintViolation):
        rows(database_url, "DELETE FROM credits.purchases")
