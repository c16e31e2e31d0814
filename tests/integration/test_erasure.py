"""What an erasure blanks beside texts, and that an erased user acts no more."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from domain.errors import UserErased
from domain.ids import new_id
from domain.operations import grants, holds, purchases
from domain.operations import sync as sync_acts
from domain.operations.erasure import erase_user
from domain.operations.jobs import record
from domain.rules.idempotency import ClientKey
from domain.rules.job_kinds import PURCHASE
from domain.rules.job_payloads import OpenPayment
from domain.rules.jobs import NewJob
from domain.rules.sync import Interval
from domain.store import Database, Store, ledger
from domain.units import Credits
from tests.support.credits import give, use_of
from tests.support.gifts import cancel, make_gift, redeem
from tests.support.holds import hold
from tests.support.jobs import do, pending
from tests.support.purchases import offer
from tests.support.sync import state, subscribe
from tests.support.times import NOW
from tests.support.users import ANNA, BEN
from tests.support.worker import worker

KEY = ClientKey(route="use", value="anna@example.com", request_hash=b"1")


def erase(url: str) -> None:
    owner = Database(url, pool_size=1, as_app=False)
    with owner.begin() as store:
        erase_user(store, user_id=ANNA, email=None, who="cli:test", why="Asked for", now=NOW)
    owner.close()


def everything(database: Database) -> str:
    """All that is stored, as a text to search."""
    tables = ("credits.transactions", "credits.usage_stats", "credits.reservations", "jobs.jobs", "gifts.gift_codes")
    with database.single() as store:
        return "".join(
            row for table in tables for row in store.run(text(f"SELECT to_jsonb(t)::text FROM {table} t")).scalars()
        )


def test_keys_apps_and_reasons_that_a_client_chose_are_blanked(database: Database, database_url: str) -> None:
    give(database, "anna", 100)
    give(database, "ben", 100)
    with database.begin() as store:
        ledger.append(store, use_of("anna", 1, app_id="app-of-anna-berg", key=KEY), now=NOW)
        ledger.append(store, use_of("anna", 1, app_id="chat"), now=NOW)
        ledger.append(store, use_of("ben", 1, app_id="chat"), now=NOW)
        grants.grant(
            store,
            user_id=ANNA,
            amount=Credits(1),
            reason="sorry-anna-berg",
            reference_id="ticket-of-anna-berg",
            description=None,
            now=NOW,
        )
        discard_purchase_job(store)
    do(worker(database), [roll_up(database)])
    assert "anna-berg" in everything(database)

    erase(database_url)

    kept = everything(database)
    assert "anna-berg" not in kept
    assert "anna@example.com" not in kept
    with database.single() as store:
        apps = store.run(text("SELECT app_id, counterparty FROM credits.transactions WHERE user_id = 'anna'")).all()
    assert ("erased-1", "app:erased-1") in apps
    assert ("chat", "app:chat") in apps
    assert ("system", "grant:erased") in apps


def discard_purchase_job(store: Store) -> None:
    """Leave a discarded job of Anna's, whose key and request id a client chose."""
    new = NewJob(
        kind=PURCHASE,
        key=ClientKey(route="purchase", value="anna-berg", request_hash=b"2").job_key(ANNA),
        request_hash=b"2",
        request_id="anna-berg-1",
        payload=OpenPayment(user_id=ANNA, purchase_id=new_id()),
    )
    job = record(store, new).job
    store.execute("UPDATE jobs.jobs SET state = 'discarded', finished_at = now() WHERE id = %(id)s", {"id": job.id})


def roll_up(database: Database) -> Any:
    with database.begin() as store:
        return store.run(
            text("""INSERT INTO jobs.jobs (id, kind, queue, key, payload, next_at, enqueued_at, created_at)
                    VALUES (gen_random_uuid(), 'roll-up-usage', 'default', 'r', '{}', now(), now(), now())
                    RETURNING id""")
        ).scalar_one()


def test_an_erased_user_acts_no_more(database: Database, database_url: str) -> None:
    give(database, "anna", 100)
    give(database, "ben", 100)
    gift = make_gift(database, creator_id=BEN).gift
    package_id = offer(database)
    erase(database_url)

    with pytest.raises(UserErased), database.begin() as store:
        ledger.append(store, use_of("anna", 1), now=NOW)
    with pytest.raises(UserErased):
        hold(database, 5)
    with pytest.raises(UserErased):
        make_gift(database)
    with pytest.raises(UserErased):
        redeem(database, gift, ANNA)
    with pytest.raises(UserErased), database.begin() as store:
        purchases.start_purchase(
            store, user_id=ANNA, package_id=package_id, redirects=None, key=None, request_id=None, now=NOW
        )
    with pytest.raises(UserErased), database.begin() as store:
        sync_acts.activate_later(store, user_id=ANNA, interval=Interval.MONTHLY, key=None, request_id=None)
    with pytest.raises(UserErased):
        give(database, "anna", 1)


def test_what_is_owed_after_an_erasure_still_happens(database: Database, database_url: str) -> None:
    give(database, "anna", 100)
    made = make_gift(database, size=10).gift
    hold_id = hold(database, 5)
    erase(database_url)

    cancel(database, made)
    with database.begin() as store:
        holds.release(store, hold_id=hold_id, key=None, now=NOW)

    with database.single() as store:
        assert store.run(text("SELECT balance FROM credits.balances WHERE user_id = 'anna'")).scalar_one() == 100


def test_sync_of_an_erased_user_ends(database: Database, database_url: str) -> None:
    give(database, "anna", 100)
    subscribe(database_url, "anna", due=timedelta(days=3))

    erase(database_url)

    assert state(database_url, "anna")[0] is False
    assert pending(database_url, "renew") == []


def test_somebody_who_was_never_here_can_be_erased(database: Database, database_url: str) -> None:
    erase(database_url)

    with pytest.raises(UserErased):
        give(database, "anna", 1)
