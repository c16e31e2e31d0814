"""Telling users about their sync, by jobs that post to the notification service."""

from datetime import datetime
from typing import Final
from uuid import UUID

from domain.rules.jobs import JobKind, NewJob
from domain.rules.notices import Notice, NoticeKind
from domain.rules.sync import NOTICE, Pause, Period, Subscription
from domain.store import Store
from domain.store import jobs as job_rows
from domain.store import sync as rows
from domain.units import UserId

BATCH: Final = 1_000


def look_ahead(store: Store, *, now: datetime) -> tuple[int, list[UUID]]:
    """Look at a batch of charges that are at most 7 days away, and record a notice for each that is not covered.

    Every charge is looked at once, so its user is told once.

    Returns:
        How many were looked at, and the jobs recorded.
    """
    near = rows.look_ahead(store, now=now, within=NOTICE, most=BATCH)
    told = [
        _job(
            one.user_id,
            one.period,
            Notice(
                kind=NoticeKind.LOW_BALANCE,
                required=one.amount,
                available=one.available,
                charge_at=one.charge_at,
            ),
        )
        for one in near
        if one.available < one.amount
    ]
    return len(near), job_rows.insert_many(store, told) if told else []


def paused_notice(subscription: Subscription, pause: Pause) -> NewJob:
    """Write the job that tells a user that sync is paused."""
    due_at = subscription.next_charge_at
    if due_at is None:
        raise ValueError("only a subscription with a due date is paused")
    notice = Notice(kind=NoticeKind.PAUSED, required=pause.required, available=pause.available, charge_at=due_at)
    return _job(subscription.user_id, subscription.period, notice)


def _job(user_id: UserId, period: Period, notice: Notice) -> NewJob:
    key = f"notify:{notice.kind.value}:{user_id}:{period.activation}:{period.number}"
    return NewJob(kind=JobKind.NOTIFY, key=key, user_id=user_id, payload=notice.facts)
