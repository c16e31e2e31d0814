"""Usage statistics on real PostgreSQL."""

from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest

from domain.rules.job_kinds import ROLL_UP_USAGE
from domain.rules.jobs import JobState
from domain.rules.usage import GroupBy
from domain.store import Database, ledger
from domain.store import usage as rows
from domain.store import usage as usage_rows
from domain.units import UserId
from tests.support.credits import give, use_of
from tests.support.holds import commit, hold
from tests.support.jobs import work_on
from tests.support.users import ANNA, BEN

LAST_SECOND = datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC)


def use(database: Database, amount: int, at: datetime, *, app_id: str = "chat", user_id: UserId = ANNA) -> None:
    with database.single() as store:
        ledger.append(store, use_of(user_id, amount, app_id=app_id), now=at)


def usage(database: Database, by: GroupBy, *, user_id: UserId = ANNA) -> list[tuple[str | date | None, int, int]]:
    days = {"from_day": date(2026, 11, 1), "to_day": date(2026, 12, 1)}
    with database.single() as store:
        usage = usage_rows.read(store, user_id, group_by=by, **days)
    return [(row.app_id or row.day, row.credits, row.uses) for row in usage]


def counted(database_url: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database_url) as connection:
        return connection.execute("SELECT * FROM credits.usage_stats ORDER BY user_id, day, app_id").fetchall()


def test_usage_is_summed_per_app_and_per_utc_day_before_and_after_it_is_counted(database: Database) -> None:
    give(database, "anna", 100)
    use(database, 5, LAST_SECOND)
    use(database, 7, LAST_SECOND + timedelta(seconds=1))
    use(database, 1, LAST_SECOND, app_id="picture")
    by_app = [("chat", 12, 2), ("picture", 1, 1)]
    by_day = [(date(2026, 11, 20), 6, 2), (date(2026, 11, 21), 7, 1)]

    assert (usage(database, GroupBy.APP), usage(database, GroupBy.DAY)) == (by_app, by_day)
    job = work_on(database, ROLL_UP_USAGE)
    assert job.state is JobState.DONE
    assert (usage(database, GroupBy.APP), usage(database, GroupBy.DAY)) == (by_app, by_day)
    use(database, 2, LAST_SECOND, app_id="picture")
    assert usage(database, GroupBy.APP) == [("chat", 12, 2), ("picture", 3, 2)]


def test_counting_again_counts_only_what_is_new(database: Database, database_url: str) -> None:
    give(database, "anna", 100)
    give(database, "ben", 100)
    use(database, 5, LAST_SECOND)
    use(database, 3, LAST_SECOND, user_id=BEN)
    work_on(database, ROLL_UP_USAGE)
    work_on(database, ROLL_UP_USAGE)
    use(database, 5, LAST_SECOND - timedelta(days=3))
    work_on(database, ROLL_UP_USAGE)

    assert counted(database_url) == [
        ("anna", "chat", date(2026, 11, 17), 5, 1),
        ("anna", "chat", date(2026, 11, 20), 5, 1),
        ("ben", "chat", date(2026, 11, 20), 3, 1),
    ]


def test_a_committed_hold_is_usage_and_an_open_one_is_not(database: Database, database_url: str) -> None:
    give(database, "anna", 100)
    commit(database, hold(database, 30), 12)
    hold(database, 10)

    work_on(database, ROLL_UP_USAGE)

    assert [row[3:] for row in counted(database_url)] == [(12, 1)]


def test_a_use_that_commits_late_is_counted(database: Database, database_url: str) -> None:
    give(database, "anna", 100)
    give(database, "ben", 100)
    with database.begin() as late:
        ledger.append(late, use_of(ANNA, 5), now=LAST_SECOND - timedelta(minutes=5))
        use(database, 3, LAST_SECOND, user_id=BEN)
        work_on(database, ROLL_UP_USAGE)
        assert [row[0] for row in counted(database_url)] == ["ben"]

    work_on(database, ROLL_UP_USAGE)

    assert [(row[0], row[3]) for row in counted(database_url)] == [("anna", 5), ("ben", 3)]


def test_a_count_that_dies_between_its_steps_leaves_nothing(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(database, "anna", 100)
    use(database, 5, LAST_SECOND)

    count_up = rows.count_up

    def count_and_die(*arguments: object, **named: object) -> None:
        count_up(*arguments, **named)  # type: ignore[arg-type]
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr("domain.store.usage.count_up", count_and_die)
        with pytest.raises(SystemExit):
            work_on(database, ROLL_UP_USAGE)
    assert counted(database_url) == []

    work_on(database, ROLL_UP_USAGE)
    assert [row[3] for row in counted(database_url)] == [5]


def test_a_long_ledger_is_counted_in_parts(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.operations.usage.TRANSACTIONS_EACH", 3)
    give(database, "anna", 100)
    for _ in range(5):
        use(database, 1, LAST_SECOND)

    work_on(database, ROLL_UP_USAGE)
    assert [row[3] for row in counted(database_url)] == [2]
    work_on(database, ROLL_UP_USAGE)
    assert [row[3] for row in counted(database_url)] == [5]
