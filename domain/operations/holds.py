"""Holds: set credits aside, pay with them, give them back. Whatever ends a hold locks it first, then the balance."""

from datetime import datetime
from typing import Final
from uuid import UUID

from domain.errors import NotFound
from domain.ids import new_id
from domain.rules.holds import Hold, HoldStatus, amount_to_commit, check_is_open
from domain.rules.idempotency import ClientKey, movement_keys
from domain.rules.ledger import Appended, Movement, TransactionType
from domain.store import Store, ledger
from domain.store import holds as hold_rows
from domain.units import Credits, UserId

HOLDS_APP: Final = "system"
"""The `app_id` of a hold's transactions: services reserve, not apps."""


def reserve(
    store: Store,
    *,
    user_id: UserId,
    amount: Credits,
    reason: str,
    expires_at: datetime,
    key: ClientKey | None,
    now: datetime,
) -> tuple[UUID, Appended]:
    """Set credits aside, once per key.

    Args:
        expires_at: Aware UTC time from which the hold is over and its credits go back.

    Returns:
        The hold's id, and the transaction that took the credits.

    Raises:
        InsufficientCredits: the balance is smaller than `amount`.
        KeyReused: the key came before, with another request.
    """
    hold_id = new_id()
    movement = _movement(
        hold_id, user_id, TransactionType.HOLD, -amount, f"Reserved: {reason}", key=key, natural_key="hold"
    )
    held = ledger.append(store, movement, now=now)
    if held.replayed:
        return UUID(held.transaction.counterparty.removeprefix("hold:")), held
    hold_rows.add(store, hold_id, user_id=user_id, amount=amount, reason=reason, expires_at=expires_at, now=now)
    return hold_id, held


def commit_hold(
    store: Store,
    *,
    hold_id: UUID,
    amount: Credits | None,
    description: str | None,
    key: ClientKey | None,
    now: datetime,
) -> Appended:
    """Pay with held credits: all of them go back, then what is paid is spent. The rest stays with the user.

    Returns:
        The transaction that spent the credits.

    Raises:
        NotFound: there is no such hold.
        HoldEnded, HoldExpired: it is not open.
        HoldExceeded: `amount` is more than is held.
        InsufficientCredits: a takeback took credits meanwhile, and what is left does not cover `amount`.
        KeyReused: the key came before, with another request.
    """
    hold = _locked(store, hold_id)
    earlier = ledger.replay(store, hold.user_id, key)
    if earlier is not None:
        return Appended(transaction=earlier, replayed=True)
    check_is_open(hold, now)
    paid = amount_to_commit(hold, amount)
    _release(store, hold, "Reservation committed", key=None, now=now)
    movement = _movement(
        hold.id, hold.user_id, TransactionType.USAGE, -paid, description or hold.reason, key=key, natural_key="usage"
    )
    spent = ledger.append(store, movement, now=now)
    hold_rows.end(store, hold.id, HoldStatus.COMMITTED, committed_amount=paid, now=now)
    return spent


def release(store: Store, *, hold_id: UUID, key: ClientKey | None, now: datetime) -> Appended:
    """Give held credits back.

    Raises:
        NotFound: there is no such hold.
        HoldEnded, HoldExpired: it is not open.
        KeyReused: the key came before, with another request.
    """
    hold = _locked(store, hold_id)
    earlier = ledger.replay(store, hold.user_id, key)
    if earlier is not None:
        return Appended(transaction=earlier, replayed=True)
    check_is_open(hold, now)
    released = _release(store, hold, "Reservation released", key=key, now=now)
    hold_rows.end(store, hold.id, HoldStatus.RELEASED, now=now)
    return released


def expire(store: Store, *, hold_id: UUID, now: datetime) -> bool:
    """Give back the credits of a hold whose time is over; `False` if it has ended otherwise."""
    hold = _locked(store, hold_id)
    if hold.status is not HoldStatus.OPEN or hold.expires_at > now:
        return False
    _release(store, hold, "Reservation expired", key=None, now=now)
    hold_rows.end(store, hold.id, HoldStatus.EXPIRED, now=now)
    return True


def _locked(store: Store, hold_id: UUID) -> Hold:
    hold = hold_rows.lock(store, hold_id)
    if hold is None:
        raise NotFound("Reservation")
    return hold


def _release(store: Store, hold: Hold, description: str, *, key: ClientKey | None, now: datetime) -> Appended:
    movement = _movement(
        hold.id, hold.user_id, TransactionType.RELEASE, hold.amount, description, key=key, natural_key="release"
    )
    return ledger.append(store, movement, now=now)


def _movement(
    hold_id: UUID,
    user_id: UserId,
    type_: TransactionType,
    amount: int,
    description: str,
    *,
    key: ClientKey | None,
    natural_key: str,
) -> Movement:
    return Movement(
        user_id=user_id,
        type=type_,
        amount=amount,
        app_id=HOLDS_APP,
        counterparty=f"hold:{hold_id}",
        description=description,
        **movement_keys(key, natural=f"hold:{hold_id}:{natural_key}"),
    )
