"""Cloud Sync of the signed-in user: reading, activating, stopping, and its settings."""

from datetime import UTC, datetime

from flask import g

from domain.errors import (
    InsufficientCredits,
    KeyReused,
    NotFound,
    SyncAlreadyActive,
    SyncGifted,
    SyncNotActive,
    UserErased,
)
from domain.operations import sync as sync_acts
from domain.rules.sync import Interval
from domain.store import sync as sync_rows
from web.http import auth
from web.http.answer import Answer
from web.http.api import Api
from web.http.idempotency_header import client_key
from web.http.models import Instant, Model
from web.http.parts import reading, transaction
from web.http.requests import request_id
from web.http.waiting import wait_and_answer
from web.shared.sync import SyncStatus

api = Api("users_sync", auth.user)


class Activate(Model):
    """How often to be charged: 30 credits monthly, 90 quarterly, 360 yearly."""

    interval: Interval = Interval.MONTHLY


class Activated(Model):
    """Sync is active and the first period is paid."""

    success: bool = True
    active: bool = True
    interval: Interval
    next_charge_at: Instant
    amount_charged: int


class Deactivated(Model):
    """Sync has stopped."""

    success: bool = True


class ChangeInterval(Model):
    """How often to be charged from the next charge on."""

    interval: Interval


class IntervalChanged(Model):
    """The new price, and when it is first charged."""

    success: bool = True
    interval: Interval
    amount_charged: int
    effective_at: Instant


class AutoResume(Model):
    """Whether the first top-up that covers the price activates paused sync again."""

    enabled: bool


class AutoResumeSet(Model):
    """The setting that is now in force."""

    success: bool = True
    enabled: bool


@api.operation("GET", "/sync/status", answers=SyncStatus)
def get_sync_status() -> SyncStatus:
    """Read the user's sync."""
    with reading(g.user.id) as reader:
        return SyncStatus.from_status(sync_rows.status(reader, g.user.id))


@api.operation(
    "POST",
    "/sync/activate",
    answers=Activated,
    refusals=[InsufficientCredits, SyncAlreadyActive, SyncGifted, KeyReused, UserErased],
    keyed=True,
    queued=True,
)
def activate_sync(body: Activate | None) -> Answer:
    """Pay for the first period and activate sync."""
    interval = body.interval if body else Interval.MONTHLY
    key = client_key("sync/activate", interval=interval.value)
    with transaction(g.user.id) as store:
        recorded = sync_acts.activate_later(
            store, user_id=g.user.id, interval=interval, key=key, request_id=request_id()
        )
    return wait_and_answer(
        recorded,
        model=lambda result: Activated(
            interval=result.interval,
            next_charge_at=result.next_charge_at,
            amount_charged=result.amount_charged,
        ),
    )


@api.operation("POST", "/sync/deactivate", answers=Deactivated, refusals=[SyncNotActive, SyncGifted])
def deactivate_sync() -> Deactivated:
    """Stop sync at once. Nothing is refunded."""
    with transaction(g.user.id) as store:
        sync_acts.deactivate(store, user_id=g.user.id, now=datetime.now(UTC))
    return Deactivated()


@api.operation("POST", "/sync/change-interval", answers=IntervalChanged, refusals=[SyncNotActive, SyncGifted])
def change_sync_interval(body: ChangeInterval) -> IntervalChanged:
    """Change how often to be charged, from the next charge on."""
    with transaction(g.user.id) as store:
        effective_at = sync_acts.change_interval(
            store, user_id=g.user.id, interval=body.interval, now=datetime.now(UTC)
        )
    return IntervalChanged(interval=body.interval, amount_charged=body.interval.price, effective_at=effective_at)


@api.operation("POST", "/sync/auto-resume", answers=AutoResumeSet, refusals=[NotFound])
def set_sync_auto_resume(body: AutoResume) -> AutoResumeSet:
    """Choose whether the first top-up that covers the price activates paused sync again. By default it does not."""
    with transaction(g.user.id) as store:
        sync_acts.set_auto_resume(store, user_id=g.user.id, enabled=body.enabled, now=datetime.now(UTC))
    return AutoResumeSet(enabled=body.enabled)
