"""Early fraud warnings: a card issuer suspects a charge.

Source: https://docs.stripe.com/api/radar/early_fraud_warnings.
"""

from local.stripe.call import Call
from local.stripe.documents import Document, new_id


def warn(call: Call, charge: Document, *, fraud_type: str) -> Document:
    """Create a warning about a charge; `fraud_type` is one of Stripe's, such as `made_with_stolen_card` or `misc`."""
    warning = {
        "id": new_id("issfr"),
        "object": "radar.early_fraud_warning",
        "actionable": not charge["refunded"] and not charge["disputed"],
        "charge": charge["id"],
        "created": call.now,
        "fraud_type": fraud_type,
        "livemode": False,
        "payment_intent": charge["payment_intent"],
    }
    call.state.put(warning)
    call.emit("radar.early_fraud_warning.created", warning)
    return warning
