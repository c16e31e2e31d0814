"""Cloud Sync for other services: whether a user may sync, and renewals that are started by hand."""

from domain.errors import KeyReused
from domain.operations import renewals as renewal_acts
from domain.store import sync as sync_rows
from domain.units import UserId
from web.http import auth
from web.http.answer import Answer
from web.http.api import Api
from web.http.idempotency_header import client_key
from web.http.models import Model
from web.http.parts import current_parts, reading
from web.http.requests import request_id
from web.http.waiting import wait_and_answer
from web.shared.sync import Gate

api = Api("services_sync", auth.service, prefix="/api/v1/internal")


class Charged(Model):
    """How the renewals of all due subscriptions ended."""

    charged: int
    paused: int
    errors: int
    total: int


@api.operation("GET", "/sync/status/<user_id:user_id>", answers=Gate)
def get_sync_status_of_user(user_id: UserId) -> Gate:
    """Read whether a user may sync. The sync server calls it before each push and pull."""
    with reading(user_id) as reader:
        return Gate.model_validate(sync_rows.gate(reader, user_id))


@api.operation("POST", "/sync/charge-recurring", answers=Charged, refusals=[KeyReused], keyed=True, queued=True)
def charge_recurring() -> Answer:
    """Renew everything that is due now, or wait for the job that is already doing it."""
    key = client_key("internal/sync/charge-recurring")
    with current_parts().database.begin() as store:
        recorded = renewal_acts.charge_recurring_later(store, key=key, request_id=request_id())
    return wait_and_answer(recorded, model=Charged.model_validate)
