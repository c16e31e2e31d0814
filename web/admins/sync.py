"""Cloud Sync for administrators: reading a user's sync, and giving it for free."""

from datetime import UTC, datetime

from flask import g

from domain.errors import NotFound
from domain.operations import sync as sync_acts
from domain.store import sync as sync_rows
from domain.units import UserId
from web.http import auth
from web.http.api import Api
from web.http.models import Instant, Model
from web.http.parts import reading, transaction
from web.shared.sync import SyncStatus

api = Api("admins_sync", auth.admin, prefix="/api/v1/admin")


class AdminSyncStatus(SyncStatus):
    """A user's sync, and who gave it."""

    user_id: str
    gifted_by: str | None
    gifted_at: Instant | None


class Gifted(Model):
    """Whether a user's sync is now a gift, and whether it is active."""

    success: bool = True
    user_id: str
    gifted: bool
    active: bool


@api.operation("GET", "/sync/<user_id:user_id>", answers=AdminSyncStatus)
def inspect_sync(user_id: UserId) -> AdminSyncStatus:
    """Read a user's sync."""
    with reading(user_id) as reader:
        status = sync_rows.status(reader, user_id)
    gift = status.subscription
    return AdminSyncStatus(
        **dict(SyncStatus.from_status(status)),
        user_id=user_id,
        gifted_by=gift.gifted_by if gift else None,
        gifted_at=gift.gifted_at if gift else None,
    )


@api.operation("POST", "/sync/<user_id:user_id>/gift", answers=Gifted)
def gift_sync(user_id: UserId) -> Gifted:
    """Give a user sync for free. Repeating it changes nothing."""
    with transaction(user_id) as store:
        granted = sync_acts.grant(store, user_id=user_id, admin_id=g.user.id, now=datetime.now(UTC))
    return Gifted(user_id=user_id, gifted=granted.is_gifted, active=granted.active)


@api.operation("DELETE", "/sync/<user_id:user_id>/gift", answers=Gifted, refusals=[NotFound])
def revoke_gifted_sync(user_id: UserId) -> Gifted:
    """Take a gift of sync back. Repeating it changes nothing."""
    with transaction(user_id) as store:
        revoked = sync_acts.revoke(store, user_id=user_id, admin_id=g.user.id, now=datetime.now(UTC))
    return Gifted(user_id=user_id, gifted=revoked.is_gifted, active=revoked.active)
