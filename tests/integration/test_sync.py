"""Cloud Sync on real PostgreSQL: switching it on and off, changing it, giving it away."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from domain.errors import InsufficientCredits, SyncAlreadyActive, SyncGifted, SyncNotActive
from domain.operations import sync
from domain.rules.sync import Interval
from domain.store import Database
from domain.store import sync as sync_rows
from domain.units import UserId
from tests.support.credits import give
from tests.support.plain_sql import rows
from tests.support.sync import charges, renew_due, state, subscribe
from tests.support.times import NOW
from tests.support.users import ANNA

ADMIN = UserId("admin")


def activate(database: Database, *, user_id: UserId = ANNA, interval: Interval = Interval.MONTHLY) -> None:
    with database.begin() as store:
        sync.activate(store, user_id=user_id, interval=interval, now=NOW)


def test_activation_charges_the_price_and_the_next_charge_is_an_interval_away(
    database: Database, database_url: str
) -> None:
    give(database, "anna", 100)

    activate(database, interval=Interval.QUARTERLY)

    with database.single() as store:
        status = sync_rows.status(store, ANNA)
    assert status.next_charge is not None
    assert (status.next_charge.at, status.next_charge.amount) == (datetime(2027, 2, 21, 12, tzinfo=UTC), 90)
    assert not status.next_charge.covered
    assert rows(database_url, "SELECT amount, type, app_id FROM credits.transactions WHERE counterparty = 'sync'") == [
        (-90, "usage", "sync")
    ]


def test_activation_without_enough_credits_changes_nothing(database: Database, database_url: str) -> None:
    give(database, "anna", 29)

    with pytest.raises(InsufficientCredits):
        activate(database)

    assert rows(database_url, "SELECT count(*) FROM credits.sync_subscriptions") == [(0,)]


def test_an_active_sync_is_not_activated_again(database: Database) -> None:
    give(database, "anna", 100)
    activate(database)

    with pytest.raises(SyncAlreadyActive):
        activate(database)


def test_a_deactivated_sync_can_be_activated_again_and_is_charged_again(database: Database, database_url: str) -> None:
    give(database, "anna", 100)
    activate(database)
    with database.begin() as store:
        sync.deactivate(store, user_id=ANNA, now=NOW)
    assert state(database_url, "anna") == (False, False, False)

    activate(database)

    assert charges(database_url) == {"anna": 2}


def test_a_new_interval_is_charged_from_the_next_charge_on(database: Database, database_url: str) -> None:
    give(database, "anna", 500)
    subscribe(database_url, "anna")
    with database.begin() as store:
        sync.change_interval(store, user_id=ANNA, interval=Interval.YEARLY, now=NOW)

    renew_due(database, database_url)

    assert rows(database_url, "SELECT amount FROM credits.transactions WHERE counterparty = 'sync'") == [(-360,)]
    assert rows(
        database_url,
        "SELECT next_charge_at = (anchor_at AT TIME ZONE 'UTC' + interval '14 months') AT TIME ZONE 'UTC'"
        " FROM credits.sync_subscriptions",
    ) == [(True,)]


def test_a_gift_is_never_charged_cannot_be_switched_and_is_inactive_when_revoked(
    database: Database, database_url: str
) -> None:
    give(database, "anna", 500)
    subscribe(database_url, "anna")
    with database.begin() as store:
        sync.grant(store, user_id=ANNA, admin_id=ADMIN, now=NOW)
    renew_due(database, database_url)
    assert charges(database_url) == {}
    for act in (sync.deactivate, sync.activate, sync.change_interval):
        arguments = {} if act is sync.deactivate else {"interval": Interval.MONTHLY}
        with pytest.raises(SyncGifted), database.begin() as store:
            act(store, user_id=ANNA, now=NOW, **arguments)

    with database.begin() as store:
        sync.revoke(store, user_id=ANNA, admin_id=ADMIN, now=NOW)

    assert state(database_url, "anna") == (False, False, False)
    audit = rows(database_url, "SELECT user_id, act, admin_id FROM credits.sync_gift_audit ORDER BY id")
    assert audit == [("anna", "granted", "admin"), ("anna", "revoked", "admin")]
    with pytest.raises(psycopg.errors.IntegrityError):
        rows(database_url, "DELETE FROM credits.sync_gift_audit")


def test_revoking_what_is_no_gift_leaves_a_paid_sync_as_it_is(database: Database, database_url: str) -> None:
    subscribe(database_url, "anna", due=timedelta(days=10))

    with database.begin() as store:
        sync.revoke(store, user_id=ANNA, admin_id=ADMIN, now=NOW)

    assert state(database_url, "anna") == (True, False, True)
    assert rows(database_url, "SELECT count(*) FROM credits.sync_gift_audit") == [(0,)]


def test_nobody_stops_what_is_not_active(database: Database) -> None:
    with pytest.raises(SyncNotActive), database.begin() as store:
        sync.deactivate(store, user_id=ANNA, now=NOW)
