"""Many clients at one gift, one reference, one user: each race has one winner, and the books close."""

from datetime import timedelta

import pytest

from domain.errors import GiftCancelled, GiftDepleted, GiftExpired
from domain.operations import gifts, holds
from domain.operations.grants import grant
from domain.operations.usage import count_usage
from domain.rules.gifts import Gift
from domain.store import Database, ledger
from domain.units import Credits, UserId
from tests.support.credits import balance, give, use_of
from tests.support.gifts import cancel, make_gift, redeem
from tests.support.holds import commit, hold
from tests.support.threads import at_once
from tests.support.times import now
from tests.support.users import ANNA, BEN

REDEEMERS = [UserId(f"user-{number}") for number in range(5)]


def expire(database: Database, gift: Gift) -> bool:
    with database.begin() as store:
        return gifts.expire(store, gift_id=gift.id, now=gift.expires_at)


def test_five_redeems_of_one_code_have_one_winner_a_hundred_times_of_a_hundred(database: Database) -> None:
    give(database, "anna", 1_000)

    for _ in range(100):
        gift = make_gift(database).gift
        answers = at_once(5, lambda number, gift=gift: redeem(database, gift, REDEEMERS[number]))  # type: ignore[misc]

        assert sorted(type(answer).__name__ for answer in answers) == ["GiftDepleted"] * 4 + ["GiftRedeemed"]
    assert balance(database) == (0, 1_000, 1_000)
    assert sum(balance(database, user_id)[0] for user_id in REDEEMERS) == 1_000


def test_five_redeems_of_one_user_give_the_credits_once_and_answer_the_same(database: Database) -> None:
    give(database, "anna", 10)
    gift = make_gift(database).gift

    answers = at_once(5, lambda _: redeem(database, gift))

    assert answers == [answers[0]] * 5
    assert balance(database, BEN) == (10, 10, 0)


def test_a_gift_redeemed_and_cancelled_at_once_has_one_winner(database: Database) -> None:
    give(database, "anna", 400)

    for _ in range(40):
        gift = make_gift(database).gift
        redeemed, cancelled = at_once(
            2,
            lambda number, gift=gift: cancel(database, gift) if number else redeem(database, gift),  # type: ignore[misc]
        )

        assert isinstance(redeemed, GiftCancelled) != isinstance(cancelled, GiftDepleted)
    assert balance(database)[0] + balance(database, BEN)[0] == 400


def test_a_gift_redeemed_and_expired_at_once_has_one_winner(database: Database) -> None:
    give(database, "anna", 400)

    for _ in range(40):
        gift = make_gift(database, life=timedelta(minutes=5)).gift
        redeemed, expired = at_once(
            2,
            lambda number, gift=gift: expire(database, gift) if number else redeem(database, gift),  # type: ignore[misc]
        )

        assert expired is isinstance(redeemed, GiftExpired)
    assert balance(database)[0] + balance(database, BEN)[0] == 400


def test_parallel_grants_of_one_reference_give_once(database: Database) -> None:
    def give_once(_: int) -> bool:
        with database.single() as store:
            return grant(
                store,
                user_id=ANNA,
                amount=Credits(25),
                reason="signup",
                reference_id="welcome",
                description=None,
                now=now(),
            ).replayed

    answers = at_once(20, give_once)

    assert sorted(map(str, answers)) == ["False"] + ["True"] * 19
    assert balance(database) == (25, 25, 0)


def test_a_hold_ended_in_two_ways_at_once_has_one_end(database: Database) -> None:
    give(database, "anna", 400)

    for _ in range(20):
        hold_id = hold(database, 10)

        def end(number: int, hold_id: object = hold_id) -> object:
            with database.begin() as store:
                if number % 2:
                    return holds.release(store, hold_id=hold_id, key=None, now=now())  # type: ignore[arg-type]
                return holds.commit_hold(
                    store,
                    hold_id=hold_id,  # type: ignore[arg-type]
                    amount=None,
                    description=None,
                    key=None,
                    now=now(),
                )

        answers = at_once(4, end)

        assert sorted(type(answer).__name__ for answer in answers) == ["Appended", *["HoldEnded"] * 3]


def test_two_hundred_commits_and_two_hundred_uses_add_up(database: Database) -> None:
    give(database, "anna", 1_000)
    held = [hold(database, 2) for _ in range(200)]

    def act(number: int) -> None:
        for step in range(10):
            commit(database, held[number * 10 + step], 1)
            use(database)

    results = at_once(20, act)

    assert results == [None] * 20
    assert balance(database) == (600, 1_000, 400)


def use(database: Database) -> None:
    with database.single() as store:
        ledger.append(store, use_of(ANNA, 1), now=now())


def test_counting_usage_many_times_at_once_while_it_grows_is_exact(database: Database) -> None:
    give(database, "anna", 1_000)

    def act(number: int) -> None:
        for _ in range(10):
            if number % 2:
                use(database)
            else:
                with database.begin() as store:
                    count_usage(store, after=UserId(""))

    results = at_once(8, act)

    assert results == [None] * 8
    with database.begin() as store:
        count_usage(store, after=UserId(""))
    # The books are proved when the test ends.


@pytest.mark.parametrize("turn", range(3))
def test_opposite_gifts_do_not_wait_for_each_other_for_ever(database: Database, turn: int) -> None:
    give(database, "anna", 100)
    give(database, "ben", 100)
    gifts = [make_gift(database, creator_id=BEN if number % 2 else ANNA).gift for number in range(10)]

    answers = at_once(10, lambda number: redeem(database, gifts[number], ANNA if number % 2 else BEN))

    assert [answer for answer in answers if isinstance(answer, Exception)] == [], turn
    assert (balance(database)[0], balance(database, BEN)[0]) == (100, 100)
