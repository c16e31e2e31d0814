"""An event of Stripe's, and delivering it to the application in this process."""

import json
from typing import Any, Final

from werkzeug.test import TestResponse

from tests.support.http import JSON, Api

EVENT: Final[dict[str, Any]] = {
    "id": "evt_1",
    "object": "event",
    "type": "payment_intent.succeeded",
    "livemode": False,
    "created": 1_763_700_000,
    "data": {"object": {"id": "pi_1", "object": "payment_intent", "amount": 499, "currency": "eur"}},
}
BODY: Final = json.dumps(EVENT)


def deliver(api: Api, body: str | bytes, signature: str | None) -> TestResponse:
    """Post a body to the webhook, as whoever signed it."""
    headers = {} if signature is None else {"Stripe-Signature": signature}
    return api.nobody().call("POST", "/webhooks/stripe", data=body, content_type=JSON, headers=headers)
