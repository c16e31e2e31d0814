"""The job that a Stripe event is stored as, however it came here."""

from collections.abc import Mapping
from typing import Any

from domain.rules.jobs import JobKind, NewJob


def event_job(event: Mapping[str, Any], *, request_id: str | None = None) -> NewJob:
    """Make the job of an event: one for each event id, whether a webhook or a list told it.

    Args:
        event: An Event object of Stripe's API, as JSON.
    """
    return NewJob(
        kind=JobKind.STRIPE_EVENT, key=f"stripe:{event['id']}", payload={"event": event}, request_id=request_id
    )
