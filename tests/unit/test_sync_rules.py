"""When sync is charged, and what a renewal decides."""

import calendar
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.rules.job_payloads import Notify
from domain.rules.notices import Notice, NoticeKind, message
from domain.rules.renewals import Charge, LeaveAlone, Pause, Reason, first_charge, next_charge, renewal
from domain.rules.sync import Interval, Period, Subscription
from domain.units import Credits, UserId

LEAP_YEAR = [date(2028, 1, 1) + timedelta(days=day) for day in range(366)]
MONTHS = {Interval.MONTHLY: 1, Interval.QUARTERLY: 3, Interval.YEARLY: 12}
INTERVALS = st.sampled_from(list(Interval))
ANCHORS = st.datetimes(datetime(2000, 1, 1), datetime(2060, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - with a zone


def oracle(anchor: datetime, months: int) -> datetime:
    """Walk month by month on the calendar, then take the anchor's day or the month's last."""
    year, month = anchor.year, anchor.month
    for _ in range(months):
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    return anchor.replace(year=year, month=month, day=min(anchor.day, calendar.monthrange(year, month)[1]))


@pytest.mark.parametrize("interval", Interval)
def test_every_anchor_day_of_a_leap_year_keeps_its_day_for_24_months(interval: Interval) -> None:
    for day in LEAP_YEAR:
        anchor = datetime(day.year, day.month, day.day, 23, 59, 59, 999_000, tzinfo=UTC)
        due = first_charge(anchor=anchor, interval=interval)
        assert due == oracle(anchor, MONTHS[interval])
        for months in range(2 * MONTHS[interval], 25, MONTHS[interval]):
            late = due + timedelta(minutes=59)
            due = next_charge(anchor=anchor, due=due, interval=interval, now=late)
            assert due == oracle(anchor, months)


def test_the_end_of_january_comes_back_after_february() -> None:
    anchor, dates = datetime(2028, 1, 31, 10, tzinfo=UTC), []
    due = first_charge(anchor=anchor, interval=Interval.MONTHLY)

    for _ in range(4):
        dates.append(due.date())
        due = next_charge(anchor=anchor, due=due, interval=Interval.MONTHLY, now=due)

    assert dates == [date(2028, 2, 29), date(2028, 3, 31), date(2028, 4, 30), date(2028, 5, 31)]


def test_twelve_runs_that_are_59_minutes_late_do_not_drift() -> None:
    anchor = datetime(2026, 1, 15, 8, tzinfo=UTC)
    due = first_charge(anchor=anchor, interval=Interval.MONTHLY)

    for _ in range(12):
        due = next_charge(anchor=anchor, due=due, interval=Interval.MONTHLY, now=due + timedelta(minutes=59))

    assert due == datetime(2027, 2, 15, 8, tzinfo=UTC)


@given(anchor=ANCHORS, interval=INTERVALS, paid=st.integers(1, 40), away=st.timedeltas(timedelta(0), timedelta(2_000)))
def test_after_any_outage_the_date_is_the_first_boundary_in_the_future(
    anchor: datetime, interval: Interval, paid: int, away: timedelta
) -> None:
    step = MONTHS[interval]
    due = oracle(anchor, paid * step)
    now = due + away

    charge_at = next_charge(anchor=anchor, due=due, interval=interval, now=now)

    boundaries = (oracle(anchor, paid * step + number * step) for number in range(1, 1_000))
    assert charge_at == next(boundary for boundary in boundaries if boundary > now)


@given(anchor=ANCHORS, before=INTERVALS, after=INTERVALS, paid=st.integers(1, 12))
def test_a_changed_interval_counts_from_the_date_that_was_due(
    anchor: datetime, before: Interval, after: Interval, paid: int
) -> None:
    due = oracle(anchor, paid * MONTHS[before])

    charge_at = next_charge(anchor=anchor, due=due, interval=after, now=due)

    assert charge_at == oracle(anchor, paid * MONTHS[before] + MONTHS[after])


@given(anchor=ANCHORS, due=ANCHORS, interval=INTERVALS, late=st.timedeltas(timedelta(0), timedelta(900)))
def test_the_date_is_in_the_future_and_at_most_an_interval_away_whatever_was_moved(
    anchor: datetime, due: datetime, interval: Interval, late: timedelta
) -> None:
    now = due + late

    charge_at = next_charge(anchor=anchor, due=due, interval=interval, now=now)

    assert now < charge_at <= now + timedelta(days=31 * MONTHS[interval] + 31)


def test_the_time_zone_of_a_moment_does_not_matter() -> None:
    anchor = datetime(2026, 1, 31, 23, 30, tzinfo=UTC)
    berlin_summer = timezone(timedelta(hours=2))
    due = datetime(2026, 6, 30, 23, 30, tzinfo=UTC)

    charge_at = next_charge(
        anchor=anchor.astimezone(berlin_summer),
        due=due.astimezone(berlin_summer),
        interval=Interval.MONTHLY,
        now=due.astimezone(berlin_summer),
    )

    assert charge_at == datetime(2026, 7, 31, 23, 30, tzinfo=UTC)


NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
PERIOD = Period(activation=7, number=2)


def subscription(
    *, active: bool = True, gifted: bool = False, next_charge_at: datetime | None = NOW, amount: int = 30
) -> Subscription:
    return Subscription(
        user_id=UserId("anna"),
        active=active,
        interval=Interval.MONTHLY,
        amount=Credits(amount),
        anchor_at=datetime(2026, 8, 21, 12, tzinfo=UTC),
        next_charge_at=next_charge_at,
        paused_at=None,
        is_gifted=gifted,
        gifted_by=None,
        gifted_at=None,
        period=PERIOD,
        auto_resume=False,
    )


def test_a_due_period_that_is_covered_is_charged_to_the_next_boundary() -> None:
    decision = renewal(subscription(), period=PERIOD, balance=Credits(30), now=NOW)

    assert decision == Charge(amount=Credits(30), next_charge_at=datetime(2026, 12, 21, 12, tzinfo=UTC))


def test_a_due_period_that_is_not_covered_pauses() -> None:
    decision = renewal(subscription(), period=PERIOD, balance=Credits(29), now=NOW)

    assert decision == Pause(required=Credits(30), available=Credits(29))


@pytest.mark.parametrize(
    ("subscription", "period", "reason"),
    [
        (None, PERIOD, Reason.SUPERSEDED),
        (subscription(), Period(activation=7, number=1), Reason.SUPERSEDED),
        (subscription(), Period(activation=8, number=2), Reason.SUPERSEDED),
        (subscription(active=False), PERIOD, Reason.INACTIVE),
        (subscription(gifted=True), PERIOD, Reason.GIFTED),
        (subscription(next_charge_at=None), PERIOD, Reason.NOT_DUE),
        (subscription(next_charge_at=NOW + timedelta(microseconds=1)), PERIOD, Reason.NOT_DUE),
    ],
)
def test_what_is_not_due_or_not_the_users_to_pay_is_left_alone(
    subscription: Subscription | None, period: Period, reason: Reason
) -> None:
    assert renewal(subscription, period=period, balance=Credits(100), now=NOW) == LeaveAlone(reason=reason)


def test_the_prices_are_30_90_and_360_credits() -> None:
    assert [interval.price for interval in Interval] == [30, 90, 360]


@pytest.mark.parametrize("kind", NoticeKind)
def test_a_notice_is_written_in_german_and_english(kind: NoticeKind) -> None:
    notice = Notice(kind=kind, required=Credits(30), available=Credits(12), charge_at=NOW)

    text = message(notice)

    assert "30 Credits" in text["data"]["texts"]["de"]["body"]
    assert "21.11.2026" in text["data"]["texts"]["de"]["body"]
    assert "30 credits" in text["data"]["texts"]["en"]["body"]
    assert "21 November 2026" in text["data"]["texts"]["en"]["body"]
    assert text["body"] == text["data"]["texts"]["de"]["body"] + "\n\n" + text["data"]["texts"]["en"]["body"]


@pytest.mark.parametrize("kind", NoticeKind)
def test_a_notice_comes_out_of_its_job_as_it_went_in(kind: NoticeKind) -> None:
    payload = Notify(user_id=UserId("anna"), notice=kind, required=Credits(30), available=Credits(12), charge_at=NOW)

    assert payload.message == Notice(kind=kind, required=Credits(30), available=Credits(12), charge_at=NOW)
