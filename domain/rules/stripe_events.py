"""The job as which a Stripe event is stored, and the mark that tells it from a row that somebody else wrote."""

import hmac
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from domain.rules.job_kinds import STRIPE_EVENT
from domain.rules.job_payloads import Settled, StripeEvent
from domain.rules.jobs import NewJob
from domain.rules.texts import clean_document

_PURPOSE: Final = b"mana-credits: a stored event"


def event_job(event: Mapping[str, Any], *, secret: str, request_id: str | None = None) -> NewJob[StripeEvent, Settled]:
    """Make the job of an event: one for each event id, whether it came from a webhook or a list.

    What people wrote at Stripe, a description for instance, is cleaned: it never costs anybody the event.

    Args:
        event: An Event object of Stripe's API, as JSON, whose sender is known to be Stripe.
        secret: What the mark is made with; who can only write to the database does not have it.
    """
    cleaned = clean_document(dict(event))
    payload = StripeEvent(event=cleaned, mark=mark_of(cleaned, secret))
    return NewJob(kind=STRIPE_EVENT, key=f"stripe:{event['id']}", payload=payload, request_id=request_id)


def is_genuine(payload: StripeEvent, *, secrets: Iterable[str]) -> bool:
    """Tell whether one of our processes stored this event when it had it from Stripe.

    False for rows of earlier releases too, and while a new secret is not known everywhere.
    """
    if payload.mark is None:
        return False
    mark = payload.mark.encode()
    return any(hmac.compare_digest(mark_of(payload.event, secret).encode(), mark) for secret in secrets)


def mark_of(event: Mapping[str, Any], secret: str) -> str:
    """Make the mark of an event, which changes with every member of it."""
    canonical = json.dumps(event, sort_keys=True, separators=(",", ":"))
    key = hmac.digest(secret.encode(), _PURPOSE, "sha256")
    return hmac.new(key, canonical.encode(), "sha256").hexdigest()
