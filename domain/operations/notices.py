"""Notices to users about their sync: jobs that post to the notification service."""

from datetime import datetime
from typing import Final
from uuid import UUID

from domain.rules.job_kinds import NOTIFY
from domain.rules.job_payloads import Notified, Notify
from domain.rules.jobs import NewJob
from domain.rules.notices import Notice, NoticeKind
from domain.rules.renewals import Pause
from domain.rules.sync import NOTICE, Period, Subscription
from domain.store import Store
from domain.store import jobs as job_rows
from domain.store import renewals as renewal_rows
from domain.units import UserId

BATCH: Final = 1_000


def look_ahead(store: Store, *, now: datetime) -> tuple[int, list[UUID]]:
    """Check a batch of charges that are at most 7 days away, and record a notice for each that is not covered.

    Every charge is checked once, so its user gets one notice.

    Returns:
        How many were checked, and the ids of the jobs recorded.
    """
    charges = renewal_rows.look_ahead(store, now=now, within=NOTICE, most=BATCH)
    notices = [
        _job(
            charge.user_id,
            charge.period,
            Notice(
                kind=NoticeKind.LOW_BALANCE,
                required=charge.amount,
                available=charge.available,
                charge_at=charge.charge_at,
            ),
        )
        for charge in charges
        if charge.available < charge.amount
    ]
    return len(charges), job_rows.insert_many(store, notices) if notices else []


def paused_notice(subscription: Subscription, pause: Pause) -> NewJob[Notify, Notified]:
    """Describe the job that notifies a user that sync is paused."""
    due_at = subscription.next_charge_at
    if due_at is None:
        raise ValueError("only a subscription with a due date is paused")
    notice = Notice(kind=NoticeKind.PAUSED, required=pause.required, available=pause.available, charge_at=due_at)
    return _job(subscription.user_id, subscription.period, notice)


def _job(user_id: UserId, period: Period, notice: Notice) -> NewJob[Notify, Notified]:
    key = f"notify:{notice.kind.value}:{user_id}:{period.activation}:{period.number}"
    payload = Notify(
        user_id=user_id,
        notice=notice.kind,
        required=notice.required,
        available=notice.available,
        charge_at=notice.charge_at,
    )
    return NewJob(kind=NOTIFY, key=key, payload=payload)
