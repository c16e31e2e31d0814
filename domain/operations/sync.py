"""Sync, as users and administrators switch it. A user's act locks the subscription; a renewal decides after it."""

from datetime import datetime

from domain.errors import InsufficientCredits, NotFound, SyncAlreadyActive, SyncGifted, SyncNotActive
from domain.ids import new_id
from domain.operations.jobs import record
from domain.rules.idempotency import ClientKey, job_keys
from domain.rules.job_kinds import ACTIVATE
from domain.rules.job_payloads import ActivateSync, SyncActivated, SyncResumed
from domain.rules.jobs import NewJob, Recorded
from domain.rules.ledger import Movement, TransactionType
from domain.rules.renewals import first_charge
from domain.rules.sync import SYNC_APP, Interval, Subscription
from domain.store import Store, ledger
from domain.store import sync as sync_rows
from domain.units import UserId


def activate_later(
    store: Store, *, user_id: UserId, interval: Interval, key: ClientKey | None, request_id: str | None
) -> Recorded[ActivateSync, SyncActivated]:
    """Record that a user wants sync, once per key; a worker charges and activates.

    Raises:
        SyncAlreadyActive, SyncGifted: the job would be refused now.
        KeyReused: the key came before, with another request.
    """
    new = NewJob(
        kind=ACTIVATE,
        payload=ActivateSync(user_id=user_id, interval=interval),
        request_id=request_id,
        **job_keys(key, user_id=user_id, natural=f"activate:{new_id()}"),
    )
    recorded = record(store, new)
    if not recorded.replayed:
        # This saves a job and a wait; the job checks again under the lock.
        _check_may_activate(sync_rows.find(store, user_id))
    return recorded


def activate(store: Store, *, user_id: UserId, interval: Interval, now: datetime) -> SyncActivated:
    """Charge a user's first period and make the subscription active: the anchor is now.

    Concurrent calls wait for the subscription's lock; the first charges, the others are refused.

    Raises:
        SyncAlreadyActive, SyncGifted: there is nothing to pay for.
        InsufficientCredits: the balance does not cover the price. Nothing is written; the job ends `rejected`, and the
            caller is answered 402 with the credits it needs and has.
    """
    subscription = sync_rows.open_locked(store, user_id, now=now)
    _check_may_activate(subscription)
    activation, next_at = sync_rows.next_activation(store), first_charge(anchor=now, interval=interval)
    charged = ledger.append(store, _first_payment(user_id, interval, activation), now=now)
    sync_rows.change(
        store,
        user_id,
        now=now,
        active=True,
        billing_interval=interval.value,
        amount_charged=interval.price,
        activated_at=now,
        anchor_at=now,
        next_charge_at=next_at,
        paused_at=None,
        activation=activation,
        period=0,
        looked_ahead=False,
    )
    return SyncActivated(
        interval=interval,
        next_charge_at=next_at,
        amount_charged=interval.price,
        transaction_id=charged.transaction.id,
    )


def resume(store: Store, *, user_id: UserId, now: datetime) -> SyncResumed:
    """Activate a paused subscription again, if its user still asks for that and can pay; else leave it as it is."""
    subscription = sync_rows.lock(store, user_id)
    is_waiting = subscription and subscription.auto_resume and subscription.paused_at and not subscription.active
    if not subscription or not is_waiting or subscription.is_gifted:
        return SyncResumed(resumed=False)
    try:
        activated = activate(store, user_id=user_id, interval=subscription.interval, now=now)
    except InsufficientCredits:
        # Spent again meanwhile. The next period has a job key of its own, so the user is checked again.
        sync_rows.change(store, user_id, now=now, period=sync_rows.next_period())
        return SyncResumed(resumed=False)
    return SyncResumed(
        resumed=True,
        interval=activated.interval,
        next_charge_at=activated.next_charge_at,
        amount_charged=activated.amount_charged,
        transaction_id=activated.transaction_id,
    )


def deactivate(store: Store, *, user_id: UserId, now: datetime) -> None:
    """Stop a user's sync at once. Nothing is refunded, and nothing is charged after this.

    Raises:
        SyncNotActive, SyncGifted: there is nothing the user could stop.
    """
    _lock_active(store, user_id)
    sync_rows.change(store, user_id, now=now, active=False, next_charge_at=None, period=sync_rows.next_period())


def change_interval(store: Store, *, user_id: UserId, interval: Interval, now: datetime) -> datetime:
    """Change how often and how much a user is charged, from the next charge on; returns when that is.

    Raises:
        SyncNotActive, SyncGifted: there is nothing the user could change.
    """
    effective_at = _lock_active(store, user_id)
    sync_rows.change(
        store, user_id, now=now, billing_interval=interval.value, amount_charged=interval.price, looked_ahead=False
    )
    return effective_at


def set_auto_resume(store: Store, *, user_id: UserId, enabled: bool, now: datetime) -> None:
    """Choose whether sync that was paused for lack of credits is activated again when the user can pay.

    Raises:
        NotFound: the user never had sync.
    """
    if sync_rows.lock(store, user_id) is None:
        raise NotFound("Sync subscription")
    sync_rows.change(store, user_id, now=now, auto_resume=enabled)


def grant(store: Store, *, user_id: UserId, admin_id: UserId, now: datetime) -> Subscription:
    """Give a user sync for free, and write down the administrator; repeatable. Nothing is charged from now on."""
    if not sync_rows.open_locked(store, user_id, now=now).is_gifted:
        sync_rows.change(
            store,
            user_id,
            now=now,
            active=True,
            next_charge_at=None,
            paused_at=None,
            is_gifted=True,
            gifted_by=admin_id,
            gifted_at=now,
            period=sync_rows.next_period(),
        )
        sync_rows.add_gift_act(store, user_id, act="granted", admin_id=admin_id, now=now)
    return _existing(store, user_id)


def revoke(store: Store, *, user_id: UserId, admin_id: UserId, now: datetime) -> Subscription:
    """End a user's free sync, and write down the administrator; repeatable. Paid sync stays active.

    Raises:
        NotFound: the user never had sync.
    """
    subscription = sync_rows.lock(store, user_id)
    if subscription is not None and subscription.is_gifted:
        sync_rows.change(
            store,
            user_id,
            now=now,
            active=False,
            next_charge_at=None,
            is_gifted=False,
            gifted_by=None,
            gifted_at=None,
            period=sync_rows.next_period(),
        )
        sync_rows.add_gift_act(store, user_id, act="revoked", admin_id=admin_id, now=now)
    return _existing(store, user_id)


def _first_payment(user_id: UserId, interval: Interval, activation: int) -> Movement:
    return Movement(
        user_id=user_id,
        type=TransactionType.USAGE,
        amount=-interval.price,
        app_id=SYNC_APP,
        counterparty=SYNC_APP,
        description=f"Cloud Sync: {interval.value}, activated",
        movement_key=f"sync:{activation}",
        metadata={"activation": activation, "interval": interval.value},
    )


def _check_may_activate(subscription: Subscription | None) -> None:
    if subscription is not None and subscription.is_gifted:
        raise SyncGifted
    if subscription is not None and subscription.active:
        raise SyncAlreadyActive


def _lock_active(store: Store, user_id: UserId) -> datetime:
    """Lock a subscription that its user may change; returns when it is charged next."""
    subscription = sync_rows.lock(store, user_id)
    if subscription is not None and subscription.is_gifted:
        raise SyncGifted
    if subscription is None or not subscription.active or subscription.next_charge_at is None:
        raise SyncNotActive
    return subscription.next_charge_at


def _existing(store: Store, user_id: UserId) -> Subscription:
    subscription = sync_rows.find(store, user_id)
    if subscription is None:
        raise NotFound("Sync subscription")
    return subscription
