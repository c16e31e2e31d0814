"""Renewals: due subscriptions are recorded as jobs, many at once, and renewed together, each by its own decision."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from domain.errors import Unfinished
from domain.ids import new_id
from domain.operations.jobs import record
from domain.operations.notices import paused_notice
from domain.rules.idempotency import ClientKey, job_keys
from domain.rules.job_kinds import CHARGE_RECURRING, RENEW, RESUME
from domain.rules.job_payloads import RecurringCharged, RenewSync, ResumeSync, SyncRenewed
from domain.rules.jobs import Job, NewJob, NoPayload, Recorded
from domain.rules.ledger import Movement, TransactionType
from domain.rules.renewals import Charge, Decision, LeaveAlone, Pause, Reason, renewal
from domain.rules.sync import SYNC_APP, Period, Subscription
from domain.store import Reader, Store, ledger
from domain.store import balances as balance_rows
from domain.store import jobs as job_rows
from domain.store import renewals as renewal_rows
from domain.store import sync as sync_rows
from domain.store.renewals import Due, Renewed
from domain.units import UserId

PAGE: Final = 1_000
"""How many due subscriptions are recorded in one transaction."""

LOOK_AGAIN_S: Final = 1.0
"""How long a `charge-recurring` job waits before it looks again whether its renewals have ended."""


@dataclass(frozen=True, kw_only=True)
class DuePage:
    """A page of due subscriptions: the jobs recorded for it, and its last row while there may be more."""

    recorded: Sequence[UUID]
    last: Due | None


def record_page(store: Store, *, after: Due | None, now: datetime) -> DuePage:
    """Record a renewal for each subscription of a page of due ones; those that have one keep it.

    Any number of callers at once record each period once: the job's key is unique.
    """
    due = renewal_rows.due_page(store, now=now, after=after, most=PAGE)
    new = [
        NewJob(
            kind=RENEW,
            key=renewal_rows.renewal_key(subscription.user_id, subscription.period),
            payload=RenewSync(
                user_id=subscription.user_id,
                activation=subscription.period.activation,
                period=subscription.period.number,
            ),
        )
        for subscription in due
        if not subscription.is_recorded
    ]
    recorded = job_rows.insert_many(store, new) if new else []
    return DuePage(recorded=recorded, last=due[-1] if len(due) == PAGE else None)


def record_resumptions(store: Store, *, after: UserId) -> tuple[list[UUID], UserId | None]:
    """Record a job for each of a page of paused users who asked for automatic resumption and can pay by now.

    Returns:
        The jobs that are new, and the last user while there may be more.
    """
    paused = sync_rows.resumable_page(store, after=after, most=PAGE)
    new = [
        NewJob(
            kind=RESUME,
            key=f"resume:{user_id}:{period.activation}:{period.number}",
            payload=ResumeSync(user_id=user_id),
        )
        for user_id, period in paused
    ]
    recorded = job_rows.insert_many(store, new) if new else []
    return recorded, paused[-1][0] if len(paused) == PAGE else None


def renew_together(store: Store, jobs: Sequence[Job], *, notices: bool, now: datetime) -> Mapping[UUID, SyncRenewed]:
    """Renew many subscriptions in one transaction: lock and read all, decide for each, write all.

    A user whose subscription or balance another transaction has locked at this moment is left out, and then renewed
    alone: the user's own request comes first, and the other renewals do not wait for it.

    Args:
        notices: Record a notice for each user whose sync is paused.

    Returns:
        The result of each renewal that was decided, by job.
    """
    payloads = {job.id: RENEW.read_payload(job) for job in jobs}
    user_ids = sorted({payload.user_id for payload in payloads.values()})
    subscriptions = renewal_rows.lock_free(store, user_ids)
    balances = balance_rows.lock_balances(store, list(subscriptions), wait=False)
    decided = {
        job_id: renewal(
            subscriptions[payload.user_id],
            period=payload.renewed_period,
            balance=balances[payload.user_id],
            now=now,
        )
        for job_id, payload in payloads.items()
        if payload.user_id in balances
    }
    by_user = {payloads[job_id].user_id: decision for job_id, decision in decided.items() if not _is_late(decision)}
    changed = [(subscriptions[user_id], by_user[user_id]) for user_id in sorted(by_user)]
    charges = _charge(store, changed, now=now)
    _move_on(store, changed, notices=notices, now=now)
    return {job_id: _result(decision, charges.get(payloads[job_id].user_id)) for job_id, decision in decided.items()}


def renew(store: Store, *, user_id: UserId, period: Period, notices: bool, now: datetime) -> SyncRenewed:
    """Renew one subscription; waits while another transaction has it locked.

    Args:
        period: What the renewal was recorded for; a subscription that has moved on since is left alone.
        notices: Record a notice if sync is paused.
    """
    subscription = sync_rows.lock(store, user_id)
    balance_rows.open_balance(store, user_id, now=now)
    balance = balance_rows.lock_balances(store, [user_id], wait=True)[user_id]
    decision = renewal(subscription, period=period, balance=balance, now=now)
    if subscription is None or _is_late(decision):
        return _result(decision, None)
    charges = _charge(store, [(subscription, decision)], now=now)
    _move_on(store, [(subscription, decision)], notices=notices, now=now)
    return _result(decision, charges.get(user_id))


def charge_recurring_later(
    store: Store, *, key: ClientKey | None, request_id: str | None
) -> Recorded[NoPayload, RecurringCharged]:
    """Record a job that renews all that is due now, or join the one that is pending.

    The pending job is locked while a caller joins: it can end only afterwards, and looks for due renewals before
    it does.

    Raises:
        KeyReused: the key came before, with another request.
    """
    pending = renewal_rows.lock_pending_charge(store) if key is None else None
    if pending is not None:
        return Recorded(job=pending, kind=CHARGE_RECURRING, replayed=True)
    new = NewJob(
        kind=CHARGE_RECURRING,
        payload=NoPayload(),
        request_id=request_id,
        **job_keys(key, user_id=UserId(""), natural=f"{CHARGE_RECURRING.name}:{new_id()}"),
    )
    return record(store, new)


def end_charge_recurring(store: Store, *, began_at: datetime, now: datetime) -> RecurringCharged:
    """Count what a `charge-recurring` job has brought about.

    Returns:
        `charged`, `paused`, `errors` and `total` of the renewals since the job was recorded. Errors are those that
        failed, for good or until the next attempt.

    Raises:
        Unfinished: something is due that has not been attempted.
    """
    if renewal_rows.has_untried(store) or _has_unrecorded(store, now=now):
        raise Unfinished(pause_s=LOOK_AGAIN_S)
    tally = renewal_rows.tally(store, since=began_at)
    return RecurringCharged(
        charged=tally.charged,
        paused=tally.paused,
        errors=tally.errors,
        total=tally.charged + tally.paused + tally.errors,
    )


def _has_unrecorded(reader: Reader, *, now: datetime) -> bool:
    after: Due | None = None
    while due := renewal_rows.due_page(reader, now=now, after=after, most=PAGE):
        if not all(subscription.is_recorded for subscription in due):
            return True
        after = due[-1]
    return False


def _is_late(decision: Decision) -> bool:
    """Tell whether the subscription has left the renewal's period behind, so that it must not be moved on."""
    return isinstance(decision, LeaveAlone) and decision.reason is Reason.SUPERSEDED


def _charge(store: Store, decided: Sequence[tuple[Subscription, Decision]], *, now: datetime) -> dict[UserId, UUID]:
    """Write the charges, and return their transactions by user."""
    movements = [
        _movement(subscription, decision) for subscription, decision in decided if isinstance(decision, Charge)
    ]
    if not movements:
        return {}
    written = ledger.append_all(store, movements, now=now)
    return {movement.user_id: transaction_id for movement, transaction_id in zip(movements, written, strict=True)}


def _movement(subscription: Subscription, charge: Charge) -> Movement:
    due_at = subscription.next_charge_at
    return Movement(
        user_id=subscription.user_id,
        type=TransactionType.USAGE,
        amount=-charge.amount,
        app_id=SYNC_APP,
        counterparty=SYNC_APP,
        description=f"Cloud Sync: {subscription.interval.value}",
        movement_key=subscription.period.movement_key,
        metadata={
            "activation": subscription.period.activation,
            "period": subscription.period.number,
            "interval": subscription.interval.value,
            "dueAt": due_at.isoformat() if due_at else None,
        },
    )


def _move_on(store: Store, decided: Sequence[tuple[Subscription, Decision]], *, notices: bool, now: datetime) -> None:
    """Move the subscriptions on to their next periods, and record notices for paused users.

    A subscription that was left alone moves on too: the key of this renewal is used up, and it may become due later.
    """
    if not decided:
        return
    renewal_rows.set_renewed(
        store, [_renewed(subscription, decision, now=now) for subscription, decision in decided], now=now
    )
    pauses = [(subscription, decision) for subscription, decision in decided if isinstance(decision, Pause)]
    if notices and pauses:
        # The bell is not rung for them here: the sweeper rings it, within seconds.
        job_rows.insert_many(store, [paused_notice(subscription, pause) for subscription, pause in pauses])


def _renewed(subscription: Subscription, decision: Decision, *, now: datetime) -> Renewed:
    user_id = subscription.user_id
    match decision:
        case Charge():
            return Renewed(user_id=user_id, active=True, next_charge_at=decision.next_charge_at, paused_at=None)
        case Pause():
            return Renewed(user_id=user_id, active=False, next_charge_at=None, paused_at=now)
        case LeaveAlone():
            return Renewed(
                user_id=user_id,
                active=subscription.active,
                next_charge_at=subscription.next_charge_at,
                paused_at=subscription.paused_at,
            )


def _result(decision: Decision, transaction_id: UUID | None) -> SyncRenewed:
    match decision:
        case Charge():
            return SyncRenewed(outcome="charged", transaction_id=transaction_id)
        case Pause():
            return SyncRenewed(outcome="paused", required=decision.required, available=decision.available)
        case LeaveAlone():
            return SyncRenewed(outcome="left_alone", reason=decision.reason.value)
