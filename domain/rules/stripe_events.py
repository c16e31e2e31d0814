"""The job as which a Stripe event is stored."""

from collections.abc import Mapping
from typing import Any

from domain.rules.job_kinds import STRIPE_EVENT
from domain.rules.job_payloads import Settled, StripeEvent
from domain.rules.jobs import NewJob
from domain.rules.texts import clean_document


def event_job(event: Mapping[str, Any], *, request_id: str | None = None) -> NewJob[StripeEvent, Settled]:
    """Make the job of an event: one for each event id, whether it came from a webhook or a list.

    What people wrote at Stripe, a description for instance, is cleaned: it never costs anybody the event.

    Args:
        event: An Event object of Stripe's API, as JSON.
    """
    payload = StripeEvent(event=clean_document(dict(event)))
    return NewJob(kind=STRIPE_EVENT, key=f"stripe:{event['id']}", payload=payload, request_id=request_id)
