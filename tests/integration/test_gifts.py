"""Gifts on real PostgreSQL."""

from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest

from domain.errors import (
    GiftCancelled,
    GiftDepleted,
    GiftExpired,
    GiftNotForYou,
    InsufficientCredits,
    KeyReused,
    NotFound,
    OwnGift,
    Refusal,
)
from domain.rules.gifts import GiftStatus
from domain.rules.job_kinds import EXPIRE_GIFTS
from domain.rules.jobs import JobState, stored_result
from domain.store import Database, ledger
from domain.store import gifts as gift_rows
from tests.support.credits import balance, give
from tests.support.gifts import TARGET, cancel, gift_of, make_gift, redeem
from tests.support.jobs import work_on
from tests.support.keys import client_key
from tests.support.times import now
from tests.support.users import ANNA, BEN, CARL


def test_a_gift_takes_credits_from_its_creator_and_gives_them_to_who_redeems_it(database: Database) -> None:
    give(database, "anna", 100)

    gift = make_gift(database, size=30).gift
    redeemed = redeem(database, gift)

    assert stored_result(redeemed) == {
        "success": True,
        "credits": 30,
        "creditsReceived": 30,
        "newBalance": 30,
        "message": "For you",
        "creatorName": "Anna",
    }
    assert balance(database, ANNA) == (70, 100, 30)
    assert balance(database, BEN) == (30, 30, 0)
    assert (gift_of(database, gift.id).status, gift_of(database, gift.id).redeemed) == (GiftStatus.DEPLETED, 1)


def test_a_gift_larger_than_the_balance_is_refused_and_nothing_is_written(database: Database) -> None:
    give(database, "anna", 9)

    with pytest.raises(InsufficientCredits):
        make_gift(database, size=10)

    with database.single() as store:
        assert gift_rows.created_by(store, ANNA, limit=10) == []


def test_a_repeated_key_brings_the_first_gift_as_it_was_told_then(database: Database) -> None:
    give(database, "anna", 100)
    first = make_gift(database, key=client_key("k"))
    redeem(database, first.gift)

    repeated = make_gift(database, key=client_key("k"))

    assert repeated.replayed
    assert repeated.gift == first.gift
    assert balance(database) == (90, 100, 10)
    with pytest.raises(KeyReused):
        make_gift(database, key=client_key("k", "other"))


def test_who_has_redeemed_a_gift_is_told_the_same_again_and_others_that_it_is_gone(database: Database) -> None:
    give(database, "anna", 100)
    gift = make_gift(database).gift
    first = redeem(database, gift)

    assert redeem(database, gift) == first
    with pytest.raises(GiftDepleted):
        redeem(database, gift, CARL)
    assert balance(database, BEN) == (10, 10, 0)


def test_the_creator_cannot_redeem_the_own_gift(database: Database) -> None:
    give(database, "anna", 100)
    gift = make_gift(database).gift

    with pytest.raises(OwnGift):
        redeem(database, gift, ANNA)


def test_cancelling_returns_the_credits_once(database: Database) -> None:
    give(database, "anna", 100)
    gift = make_gift(database).gift

    done = cancel(database, gift, key=client_key("c", route="gifts/cancel"))
    repeated = cancel(database, gift, key=client_key("c", route="gifts/cancel"))

    assert (done.refunded_credits, done.replayed) == (10, False)
    assert (repeated.refunded_credits, repeated.replayed) == (10, True)
    assert balance(database)[0] == 100
    with pytest.raises(GiftCancelled):
        cancel(database, gift)
    with pytest.raises(GiftCancelled):
        redeem(database, gift)


def test_only_the_creator_cancels_a_gift(database: Database) -> None:
    give(database, "anna", 100)
    gift = make_gift(database).gift

    with pytest.raises(NotFound):
        cancel(database, gift, by=BEN)


def test_a_redeemed_gift_cannot_be_cancelled(database: Database) -> None:
    give(database, "anna", 100)
    gift = make_gift(database).gift
    redeem(database, gift)

    with pytest.raises(GiftDepleted):
        cancel(database, gift)


def test_an_expired_gift_is_refused_and_its_credits_go_back_by_the_clocks_job(database: Database) -> None:
    give(database, "anna", 100)
    old = make_gift(database, at=now() - timedelta(days=2, seconds=1), life=timedelta(days=2)).gift
    young = make_gift(database).gift

    with pytest.raises(GiftExpired):
        redeem(database, old)
    with pytest.raises(GiftExpired):
        cancel(database, old)
    job = work_on(database, EXPIRE_GIFTS)

    assert (job.state, job.result) == (JobState.DONE, {"expired": 1})
    assert balance(database)[0] == 90
    assert gift_of(database, old.id).status is GiftStatus.EXPIRED
    assert gift_of(database, young.id).status is GiftStatus.ACTIVE
    assert work_on(database, EXPIRE_GIFTS).result == {"expired": 0}


def test_a_gift_that_cannot_be_returned_does_not_keep_the_others(database: Database, database_url: str) -> None:
    give(database, "anna", 100)
    give(database, "carl", 100)
    past = now() - timedelta(days=1, minutes=1)
    stuck = make_gift(database, at=past).gift
    other = make_gift(database, at=past, creator_id=CARL).gift

    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT FROM gifts.gift_codes WHERE id = %s FOR UPDATE", (stuck.id,))
        first = work_on(database, EXPIRE_GIFTS)

    assert (first.state, first.attempts) == (JobState.PENDING, 1)
    assert gift_of(database, other.id).status is GiftStatus.EXPIRED
    work_on(database, EXPIRE_GIFTS)
    assert gift_of(database, stuck.id).status is GiftStatus.EXPIRED


def test_an_act_that_dies_between_its_steps_leaves_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    give(database, "anna", 100)
    gift = make_gift(database).gift

    def die(*_: object, **__: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr("domain.store.gifts.end", die)
        with pytest.raises(SystemExit):
            redeem(database, gift)
        with pytest.raises(SystemExit):
            cancel(database, gift)
    with monkeypatch.context() as patched:
        patched.setattr("domain.store.gifts.add", die)
        with pytest.raises(SystemExit):
            make_gift(database)

    assert balance(database)[0] == 90
    assert balance(database, BEN)[0] == 0
    assert gift_of(database, gift.id).status is GiftStatus.ACTIVE
    redeem(database, gift)


def test_lists_are_newest_first_and_go_on_behind_a_position(database: Database) -> None:
    give(database, "anna", 100)
    gifts_made = [make_gift(database, at=now() - timedelta(minutes=5 - n)).gift for n in range(3)]
    for gift in gifts_made:
        redeem(database, gift)

    with database.single() as store:
        first = gift_rows.created_by(store, ANNA, limit=2)
        rest = gift_rows.created_by(store, ANNA, limit=2, older_than=(first[-1].created_at, first[-1].id))
        received = gift_rows.redeemed_by(store, BEN, limit=10)
        others = gift_rows.created_by(store, BEN, limit=10)

    assert [gift.id for gift in [*first, *rest]] == [gift.id for gift in reversed(gifts_made)]
    assert [redeemed.gift.id for redeemed in received] == [gift.id for gift in reversed(gifts_made)]
    assert others == []


def test_the_ledger_says_nothing_of_codes_names_and_addresses(database: Database) -> None:
    give(database, "anna", 100)
    gift = make_gift(database, target_email=TARGET).gift
    redeem(database, gift)
    cancel(database, make_gift(database).gift)

    with database.single() as store:
        history = [
            *ledger.history(store, ANNA, limit=10),
            *ledger.history(store, BEN, limit=10),
        ]

    texts = [f"{transaction.description} {transaction.metadata} {transaction.counterparty}" for transaction in history]
    assert not [text for text in texts if gift.code in text or "Anna" in text or "@" in text]


def test_the_database_lets_a_gift_move_forward_only(database: Database, database_url: str) -> None:
    give(database, "anna", 100)
    done, waiting = make_gift(database).gift, make_gift(database).gift
    redeem(database, done)
    ended = f"WHERE id = '{done.id}'"
    active = f"WHERE id = '{waiting.id}'"

    for statement in (
        f"UPDATE gifts.gift_codes SET status = 'active', redeemed = 0 {ended}",
        f"UPDATE gifts.gift_codes SET status = 'cancelled', redeemed = 0 {ended}",
        f"UPDATE gifts.gift_codes SET total_credits = 1 {active}",
        f"UPDATE gifts.gift_codes SET status = 'depleted' {active}",
        f"DELETE FROM gifts.gift_codes {active}",
        "UPDATE gifts.gift_redemptions SET user_id = 'carl'",
        "DELETE FROM gifts.gift_redemptions",
        f"INSERT INTO gifts.gift_redemptions VALUES ('{uuid4()}', '{done.id}', 'carl', 10, '{uuid4()}', NULL, now())",
    ):
        with (
            psycopg.connect(database_url, autocommit=True) as connection,
            pytest.raises(psycopg.errors.IntegrityError),
        ):
            connection.execute(statement)


def test_every_refusal_of_gifts_says_why_without_facts_about_others() -> None:
    for refusal in (GiftDepleted(), GiftExpired(), GiftCancelled(), GiftNotForYou(), OwnGift()):
        assert isinstance(refusal, Refusal)
        assert not refusal.details
