"""What Stripe told of refunds, disputes and warnings, and how far its events were listed."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, func, select
from sqlalchemy.dialects.postgresql import insert

from domain.rules.takebacks import Takeback, TakebackKind, TakebackState
from domain.store.database import Store
from domain.store.stripe_tables import stripe_cursors, stripe_takebacks
from domain.units import EuroCents

EVENTS: Final = "events"
"""The cursor of the list of events."""


def find(store: Store, stripe_id: str) -> Takeback | None:
    """Read what is known of a refund, dispute or warning."""
    row = store.first(select(stripe_takebacks).where(stripe_takebacks.c.stripe_id == stripe_id))
    return None if row is None else _takeback(row)


def of_purchase(store: Store, purchase_id: UUID) -> list[Takeback]:
    """Read all that is known of a purchase, oldest first."""
    wanted = select(stripe_takebacks).where(stripe_takebacks.c.purchase_id == purchase_id)
    return [_takeback(row) for row in store.run(wanted.order_by(stripe_takebacks.c.created_at))]


def put(store: Store, takeback: Takeback, *, now: datetime) -> None:
    """Write what is known of a refund, dispute or warning; its purchase is locked."""
    moving = {"amount_euro_cents": takeback.amount, "state": takeback.state.value, "updated_at": now}
    fresh = insert(stripe_takebacks).values(
        stripe_id=takeback.stripe_id,
        kind=takeback.kind.value,
        purchase_id=takeback.purchase_id,
        payment_intent_id=takeback.payment_intent_id,
        created_at=now,
        **moving,
    )
    store.run(fresh.on_conflict_do_update(constraint="stripe_takebacks_pkey", set_=moving))


def seen_until(store: Store) -> datetime | None:
    """Read up to when Stripe's events have been listed; nothing if they never were."""
    wanted = select(stripe_cursors.c.seen_until).where(stripe_cursors.c.name == EVENTS)
    moment: datetime | None = store.run(wanted).scalar()
    return moment


def move_cursor(store: Store, moment: datetime) -> None:
    """Write down that Stripe's events have been listed up to a moment; it never moves back."""
    fresh = insert(stripe_cursors).values(name=EVENTS, seen_until=moment)
    later = {"seen_until": func.greatest(stripe_cursors.c.seen_until, fresh.excluded.seen_until)}
    store.run(fresh.on_conflict_do_update(constraint="stripe_cursors_pkey", set_=later))


def _takeback(row: Row[Any]) -> Takeback:
    return Takeback(
        stripe_id=row.stripe_id,
        kind=TakebackKind(row.kind),
        purchase_id=row.purchase_id,
        payment_intent_id=row.payment_intent_id,
        amount=EuroCents(row.amount_euro_cents),
        state=TakebackState(row.state),
    )
