"""Redeeming gifts by jobs, on real PostgreSQL."""

import psycopg
import pytest

from domain.errors import (
    GiftNotForYou,
    KeyReused,
    NotFound,
    OwnGift,
)
from domain.operations import gifts
from domain.rules.gift_codes import shown
from domain.rules.gifts import GiftStatus
from domain.rules.idempotency import ClientKey
from domain.rules.job_payloads import GiftRedeemed, RedeemGift
from domain.rules.jobs import Job, JobState, Recorded
from domain.store import Database
from domain.units import UserId
from tests.support.credits import balance, give
from tests.support.gifts import TARGET, cancel, gift_of, make_gift, redeem
from tests.support.jobs import work
from tests.support.keys import client_key
from tests.support.times import now
from tests.support.users import ANNA, BEN


def redeem_later(
    database: Database,
    typed: str,
    user_id: UserId = BEN,
    *,
    email: str | None = None,
    with_key: ClientKey | None = None,
) -> Recorded[RedeemGift, GiftRedeemed]:
    with database.begin() as store:
        return gifts.redeem_later(
            store, typed=typed, user_id=user_id, email=email, source_app_id=None, key=with_key, request_id=None
        )


def redeem_pending(database: Database, email: str, user_id: UserId = BEN) -> Job:
    with database.begin() as store:
        recorded = gifts.redeem_pending_later(store, user_id=user_id, email=email, key=None, request_id=None, now=now())
    return recorded.job


def test_redeeming_is_a_job_that_repeats_join(database: Database) -> None:
    give(database, "anna", 100)
    gift = make_gift(database).gift

    first = redeem_later(database, shown(gift.code).lower())
    again = redeem_later(database, gift.code)
    done = work(database, first.job.id)
    after = redeem_later(database, gift.code)

    assert first.job.key == f"redeem:{gift.id}:ben"
    assert first.job.id == again.job.id == after.job.id
    assert done.state is JobState.DONE
    assert after.job.result == done.result
    assert done.result is not None
    assert done.result["newBalance"] == 10


def test_a_clients_key_stands_for_one_gift(database: Database) -> None:
    give(database, "anna", 100)
    first, second = make_gift(database).gift, make_gift(database).gift
    redeem_later(database, first.code, with_key=client_key("k", first.code))

    with pytest.raises(KeyReused):
        redeem_later(database, second.code, with_key=client_key("k", second.code))


def test_a_gift_that_is_gone_when_the_job_runs_ends_it_rejected(database: Database) -> None:
    give(database, "anna", 100)
    gift = make_gift(database).gift
    recorded = redeem_later(database, gift.code)
    cancel(database, gift)

    job = work(database, recorded.job.id)

    assert job.state is JobState.REJECTED
    assert job.problem is not None
    assert job.problem["code"] == "gift_cancelled"


@pytest.mark.parametrize("typed", ["", "ABC234", "nonsense", "0000-0000-0000-0000"])
def test_an_unknown_code_is_not_found(database: Database, typed: str) -> None:
    with pytest.raises(NotFound) as refusal:
        redeem_later(database, typed)

    assert refusal.value.detail == "Gift not found"


def test_a_code_of_the_earlier_service_is_redeemed(database: Database, database_url: str) -> None:
    give(database, "anna", 100)
    gift = make_gift(database).gift
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE gifts.gift_codes DISABLE TRIGGER gift_codes_move_forward")
        connection.execute("UPDATE gifts.gift_codes SET code = 'ABC10U'")
        connection.execute("ALTER TABLE gifts.gift_codes ENABLE TRIGGER gift_codes_move_forward")

    job = work(database, redeem_later(database, "abc iou").job.id)

    assert job.state is JobState.DONE
    assert gift_of(database, gift.id).status is GiftStatus.DEPLETED


@pytest.mark.parametrize("email", [None, "foe@x.de", "friend@y.de", "nonsense"])
def test_a_personalized_gift_is_for_its_address_only(database: Database, email: str | None) -> None:
    give(database, "anna", 100)
    gift = make_gift(database, target_email=TARGET).gift

    with pytest.raises(GiftNotForYou):
        redeem_later(database, gift.code, email=email)

    recorded = redeem_later(database, gift.code, email="friend@x.DE")
    assert work(database, recorded.job.id).state is JobState.DONE


def test_registration_redeems_all_gifts_that_wait_for_the_address(database: Database) -> None:
    give(database, "anna", 100)
    give(database, "ben", 50)
    make_gift(database, size=10, target_email=TARGET)
    make_gift(database, size=20, target_email="friend@x.de")
    make_gift(database, size=30, target_email="other@x.de")
    make_gift(database, size=5, target_email=TARGET, creator_id=BEN)
    cancel(database, make_gift(database, size=7, target_email=TARGET).gift)

    job = work(database, redeem_pending(database, "FRIEND@x.de").id)

    assert job.result == {"redeemed": 2, "totalCredits": 30}
    assert balance(database, BEN)[0] == 75
    assert "friend" not in str(job).lower()
    assert work(database, redeem_pending(database, TARGET).id).result == {"redeemed": 0, "totalCredits": 0}


def test_a_registration_whose_worker_died_between_two_gifts_counts_both(database: Database) -> None:
    give(database, "anna", 100)
    first = make_gift(database, size=10, target_email=TARGET).gift
    make_gift(database, size=20, target_email=TARGET)
    job = redeem_pending(database, TARGET)
    # The worker that had the job redeemed the first gift, and was killed.
    redeem(database, first)

    done = work(database, job.id)

    assert done.result == {"redeemed": 2, "totalCredits": 30}
    assert balance(database, BEN)[0] == 30


def test_nobody_records_a_job_for_the_own_gift(database: Database) -> None:
    give(database, "anna", 100)
    gift = make_gift(database).gift

    with pytest.raises(OwnGift):
        redeem_later(database, gift.code, ANNA)
