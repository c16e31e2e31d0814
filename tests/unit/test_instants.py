"""Moments from outside: within bounds that arithmetic survives."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from domain.rules.instants import check_day, check_instant, instant_of, read_instant

EAST = timezone(timedelta(hours=23, minutes=59))
WEST = timezone(-timedelta(hours=23, minutes=59))


@pytest.mark.parametrize(
    "moment",
    [
        datetime.max.replace(tzinfo=WEST),
        datetime.max.replace(tzinfo=EAST),
        datetime.max.replace(tzinfo=UTC),
        datetime.min.replace(tzinfo=EAST),
        datetime.min.replace(tzinfo=WEST),
        datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC),
        datetime(1970, 1, 1, tzinfo=EAST),
        datetime(9000, 1, 1, tzinfo=UTC),
        datetime(8999, 12, 31, 12, tzinfo=WEST),
        datetime(2026, 1, 1),  # noqa: DTZ001 - without a zone
    ],
    ids=str,
)
def test_a_moment_out_of_bounds_or_without_zone_is_refused(moment: datetime) -> None:
    with pytest.raises(ValueError, match="must be"):
        check_instant(moment)


@pytest.mark.parametrize("moment", ["1970-01-01T00:00:00Z", "1970-01-01T23:59:00+23:59", "8999-12-31T23:59:59.999999Z"])
def test_a_moment_within_bounds_is_read_in_utc_and_survives_steps(moment: str) -> None:
    instant = read_instant(moment)

    assert instant.tzinfo is UTC
    assert (instant + timedelta(days=366)).astimezone(WEST) > instant
    assert (instant - timedelta(days=366)).astimezone(EAST) < instant


@pytest.mark.parametrize("seconds", [-1, 10**400, -(10**400), float("inf"), float("nan"), 1e300, True, "5", None, []])
def test_seconds_that_are_no_moment_are_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="must be seconds since 1970"):
        instant_of(seconds)


def test_seconds_are_counted_from_1970() -> None:
    assert instant_of(86_400.5) == datetime(1970, 1, 2, 0, 0, 0, 500_000, tzinfo=UTC)


@pytest.mark.parametrize("day", [date.min, date.max, date(1969, 12, 31), date(9000, 1, 1)])
def test_a_day_out_of_bounds_is_refused(day: date) -> None:
    with pytest.raises(ValueError, match="must be from 1970"):
        check_day(day)
    assert check_day(date(2026, 1, 1)) == date(2026, 1, 1)
