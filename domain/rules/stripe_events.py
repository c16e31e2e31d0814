"""The job as which a Stripe event is stored."""

from collections.abc import Mapping
from typing import Any

from domain.rules.job_kinds import STRIPE_EVENT
from domain.rules.job_payloads import Settled, StripeEvent
from domain.rules.jobs import NewJob


def event_job(event: Mapping[str, Any], *, request_id: str | None = None) -> NewJob[StripeEvent, Settled]:
    """Make the job of an event: one for each event id, whether it came from a webhook or a list.

    Args:
        event: An Event object of Stripe's API, as JSON.
    """
    return NewJob(
        kind=STRIPE_EVENT, key=f"stripe:{event['id']}", payload=StripeEvent(event=dict(event)), request_id=request_id
    )
