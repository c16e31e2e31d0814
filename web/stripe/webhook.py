"""Stripe's webhook: verify the signature, record the event as a job, answer. A worker does the rest."""

import json
import re
import time
from typing import Annotated, Any, Final

import stripe
from flask import Response, request
from pydantic import ConfigDict, StringConstraints

from domain.operations.jobs import record
from domain.rules.stripe_events import event_job
from web.http import auth
from web.http.api import Api
from web.http.body import without_traps
from web.http.intake import WEBHOOK_BYTES_MAX
from web.http.models import VISIBLE, Model
from web.http.parts import current_parts
from web.http.problems import BadRequest, problem
from web.http.requests import request_id

TOLERANCE_S: Final = 300
"""How far in the past or in the future the time of a signature may be."""

api = Api("stripe_webhook", auth.stripe_signature)


class Received(Model):
    """The event is stored."""

    received: bool = True


class Event(Model):
    """An Event object of Stripe's API: the members that must be there (https://docs.stripe.com/api/events/object)."""

    model_config = ConfigDict(extra="ignore", strict=True)

    id: Annotated[str, StringConstraints(min_length=1, max_length=255), VISIBLE]
    type: Annotated[str, VISIBLE]
    livemode: bool
    data: dict[str, Any]


@api.operation("POST", "/webhooks/stripe", answers=Received)
def receive_stripe_event() -> Received | Response:
    """Receive an event from Stripe. It is stored before the answer; a repeated event is stored once."""
    request.max_content_length = WEBHOOK_BYTES_MAX
    raw = request.get_data(cache=False)
    refusal = _refusal(raw, request.headers.get("Stripe-Signature", ""))
    if refusal:
        return problem(400, "invalid_signature", "Invalid webhook", refusal, error="Invalid webhook")
    secret = current_parts().settings.stripe_webhook_secrets[0]
    new = event_job(json.loads(without_traps(raw)), secret=secret, request_id=request_id())
    with current_parts().database.begin() as store:
        recorded = record(store, new)
    current_parts().bell.ring(recorded.job)
    return Received()


def _refusal(raw: bytes, signature: str) -> str | None:
    """Return why a delivery is not from Stripe; `None` if it is (https://docs.stripe.com/webhooks#verify-manually)."""
    try:
        body = raw.decode()
        # Exactly one time of plain digits, and only ASCII: the library reads no other header safely.
        (signed_at,) = re.findall(r"(?:^|,)t=(\d{1,12})(?=,|$)", signature.encode("ascii").decode())
    except ValueError:
        return "The signature is missing or malformed"
    # Stripe's library refuses old signatures, but not those of the future.
    if abs(time.time() - int(signed_at)) > TOLERANCE_S:
        return "The signature is too old or dated ahead"
    for secret in current_parts().settings.stripe_webhook_secrets:
        try:
            stripe.WebhookSignature.verify_header(body, signature, secret, TOLERANCE_S)
        except stripe.SignatureVerificationError:
            continue
        try:
            Event.model_validate_json(without_traps(raw))
        except (BadRequest, ValueError):
            return "The body is not an event"
        return None
    return "The signature does not match"
