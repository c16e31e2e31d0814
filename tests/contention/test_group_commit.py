"""Movements that share a commit: each once, and nobody the worse for whom it was written with."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from domain.errors import Busy, InsufficientCredits, Unavailable
from domain.operations import credits as spending
from domain.rules.ledger import Appended, Movement
from domain.store import Database, ledger
from domain.store.group_commit import PATIENCE_S, GroupCommit
from domain.units import Credits, UserId
from tests.support.credits import give, use_key, use_of
from tests.support.proxy import silent_proxy
from tests.support.threads import at_once
from tests.support.times import NOW

THREADS = 32


@pytest.fixture
def group(database: Database, database_url: str) -> Iterator[GroupCommit]:
    group_commit = GroupCommit(database_url, alone=lambda _: database.single())
    yield group_commit
    group_commit.close()


def usage(user: str, amount: int = 1, *, key: str | None = None, description: str = "A question") -> Movement:
    return use_of(
        user,
        amount,
        description=description,
        metadata={"model": "small", "tokens": 2**70} if amount % 2 else None,
        key=use_key(key, amount) if key else None,
    )


def balances(database_url: str) -> dict[str, int]:
    with psycopg.connect(database_url) as connection:
        return dict(connection.execute("SELECT user_id, balance FROM credits.balances").fetchall())


def commits(database_url: str) -> tuple[int, int]:
    """Count the uses in the ledger, and the commits they came with."""
    with psycopg.connect(database_url) as connection:
        counted = "SELECT count(*), count(DISTINCT xmin::text) FROM credits.transactions WHERE type = 'usage'"
        uses, together = connection.execute(counted).fetchone() or (0, 0)
    return uses, together


def test_uses_at_once_share_commits_and_each_is_told_its_own(
    group: GroupCommit, database: Database, database_url: str
) -> None:
    for number in range(5):
        give(database, f"user-{number}", 10_000)
    movements = [[usage(f"user-{(turn * 7 + n) % 5}", n + 1) for n in range(20)] for turn in range(THREADS)]

    appended_by_thread = at_once(
        THREADS, lambda n: [(movement, group.append(movement, now=NOW)) for movement in movements[n]]
    )

    pairs = [pair for many in appended_by_thread if isinstance(many, list) for pair in many]
    assert len(pairs) == THREADS * 20
    for movement, appended in pairs:
        assert not appended.replayed
        transaction = appended.transaction
        assert (transaction.user_id, transaction.amount) == (movement.user_id, movement.amount)
        assert transaction.balance_after == transaction.balance_before + movement.amount
    with database.single() as store:
        for _, appended in pairs[:50]:
            assert ledger.get(store, appended.transaction.id) == appended.transaction
    assert sum(balances(database_url).values()) == 50_000 - THREADS * sum(range(1, 21))
    uses, together = commits(database_url)
    assert uses == THREADS * 20
    assert together < uses / 2


def test_fifty_repeats_of_one_key_are_one_transaction(
    group: GroupCommit, database: Database, database_url: str
) -> None:
    give(database, "anna", 100)

    answers = at_once(50, lambda _: group.append(usage("anna", 10, key="k"), now=NOW))

    appended = [answer for answer in answers if isinstance(answer, Appended)]
    assert len(appended) == 50
    assert len({answer.transaction.id for answer in appended}) == 1
    assert [answer.replayed for answer in appended].count(False) == 1
    assert balances(database_url) == {"anna": 90}


def test_the_last_credits_are_spent_once(group: GroupCommit, database: Database, database_url: str) -> None:
    give(database, "anna", 100)

    answers = at_once(64, lambda _: group.append(usage("anna", 10), now=NOW))

    assert sum(isinstance(answer, Appended) for answer in answers) == 10
    assert sum(isinstance(answer, InsufficientCredits) for answer in answers) == 54
    assert balances(database_url) == {"anna": 0}


def test_first_uses_of_new_users_are_refused_and_first_refunds_are_written(
    group: GroupCommit, database: Database, database_url: str
) -> None:
    def act(number: int) -> Appended:
        movement = (
            usage("anna")
            if number % 2
            else spending.refund(
                user_id=UserId("ben"), amount=Credits(2), app_id="chat", description="Sorry", metadata=None, key=None
            )
        )
        return group.append(movement, now=NOW)

    answers = at_once(32, act)

    assert sum(isinstance(answer, Appended) for answer in answers) == 16
    assert sum(isinstance(answer, InsufficientCredits) for answer in answers) == 16
    assert balances(database_url)["ben"] == 32
    assert database is not None


def test_two_processes_that_write_the_same_users_do_not_block_each_other(
    group: GroupCommit, database: Database, database_url: str
) -> None:
    other = GroupCommit(database_url, alone=lambda _: database.single())
    for number in range(8):
        give(database, f"user-{number}", 1_000)

    def act(number: int) -> int:
        upwards = number % 2 == 0
        for step in range(40):
            place = step % 8 if upwards else 7 - step % 8
            (group if upwards else other).append(usage(f"user-{place}"), now=NOW)
        return 40

    assert at_once(THREADS, act) == [40] * THREADS
    assert sum(balances(database_url).values()) == 8_000 - THREADS * 40
    other.close()


def test_statements_about_the_same_users_in_opposite_orders_never_deadlock(
    database: Database, database_url: str
) -> None:
    for number in range(8):
        give(database, f"user-{number}", 1_000)

    def act(number: int) -> int:
        movements = [usage(f"user-{place}") for place in range(8)]
        for _ in range(20):
            with database.single() as store:
                appended = ledger.append_together(store, movements[:: -1 if number % 2 else 1], now=NOW)
                movements = [usage(answer.user_id) for answer in movements]
            assert None not in appended
        return 20

    assert at_once(8, act) == [20] * 8
    assert sum(balances(database_url).values()) == 8_000 - 8 * 8 * 20


def test_a_locked_balance_holds_up_its_user_alone(group: GroupCommit, database: Database, database_url: str) -> None:
    give(database, "anna", 100)
    for number in range(8):
        give(database, f"user-{number}", 1_000)
    took: list[float] = []

    def act(number: int) -> Appended | None:
        if number >= 8:
            return group.append(usage("anna"), now=NOW)
        for _ in range(20):
            began = time.monotonic()
            group.append(usage(f"user-{number}"), now=NOW)
            took.append(time.monotonic() - began)
        return None

    with psycopg.connect(database_url) as locker:
        locker.execute("SELECT FROM credits.balances WHERE user_id = 'anna' FOR UPDATE")
        answers = at_once(16, act)

    assert len(took) == 160
    assert max(took) < PATIENCE_S
    assert [type(answer) for answer in answers[8:]] == [Busy] * 8
    assert group.append(usage("anna"), now=NOW).transaction.balance_after == 99


def test_a_movement_that_cannot_be_written_does_not_fail_the_others(
    group: GroupCommit, database: Database, database_url: str
) -> None:
    give(database, "anna", 100)

    for _ in range(10):
        answers = at_once(
            8, lambda number: group.append(usage("anna", description="\x00" if number == 3 else "Fine"), now=NOW)
        )
        refused = [number for number, answer in enumerate(answers) if not isinstance(answer, Appended)]
        assert refused == [3]
        assert isinstance(answers[3], psycopg.Error)

    assert balances(database_url) == {"anna": 30}


def test_connections_that_die_in_the_middle_lose_and_double_nothing(
    group: GroupCommit, database: Database, database_url: str
) -> None:
    for number in range(4):
        give(database, f"user-{number}", 10_000)
    over = threading.Event()

    def kill() -> int:
        killed = 0
        with psycopg.connect(database_url, autocommit=True) as owner:
            while not over.wait(0.02):
                ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mana-credits'"
                killed += len(owner.execute(f"{ended} AND datname = current_database()").fetchall())
        return killed

    def act(number: int) -> int:
        for step in range(40):
            while True:
                try:
                    group.append(usage(f"user-{step % 4}", 1, key=f"{number}-{step}"), now=NOW)
                    break
                except (Unavailable, Busy):
                    time.sleep(0.01)
        return 40

    with ThreadPoolExecutor(1) as pool:
        killer = pool.submit(kill)
        answers = at_once(16, act)
        over.set()

    assert answers == [40] * 16
    assert killer.result() > 0
    assert sum(balances(database_url).values()) == 40_000 - 16 * 40


def test_nobody_waits_for_a_leader_that_hangs(
    group: GroupCommit, database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(database, "anna", 100)
    held, hung, append = threading.Event(), threading.Event(), ledger.append

    def hang(*arguments: object, **named: object) -> Appended:
        if threading.current_thread().name == "leader":
            hung.set()
            held.wait(60)
        return append(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(ledger, "append", hang)
    leader = threading.Thread(target=lambda: group.append(usage("anna", 5), now=NOW), name="leader")
    leader.start()
    assert hung.wait(60)

    answers = at_once(8, lambda _: group.append(usage("anna", 1), now=NOW))

    assert all(isinstance(answer, Appended) for answer in answers)
    assert leader.is_alive()
    held.set()
    leader.join()
    assert balances(database_url) == {"anna": 87}
    assert group.append(usage("anna"), now=NOW).transaction.balance_after == 86


def test_a_silent_database_holds_up_neither_leader_nor_followers(database: Database, database_url: str) -> None:
    for number in range(16):
        give(database, f"user-{number}", 100)
    with silent_proxy(database_url) as proxy:
        behind = Database(proxy.before(database_url), pool_size=20)
        group_commit = GroupCommit(proxy.before(database_url), alone=lambda _: behind.single())
        took: list[float] = []

        def act(number: int) -> Appended:
            began = time.monotonic()
            try:
                return group_commit.append(usage(f"user-{number}", key=f"k-{number}"), now=NOW)
            finally:
                took.append(time.monotonic() - began)

        at_once(16, act)
        proxy.is_silent = True
        answers = at_once(16, lambda number: group_commit.append(usage(f"user-{number}"), now=NOW))
        took.clear()
        at_once(16, act)
        proxy.is_silent = False

        assert [type(answer) for answer in answers] == [Unavailable] * 16
        assert max(took) < 5 + 5
        assert [type(answer) for answer in at_once(16, act)] == [Appended] * 16
        group_commit.close()
        behind.close()
    assert len(balances(database_url)) == 16
