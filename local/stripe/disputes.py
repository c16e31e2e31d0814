"""Disputes: the customer's bank takes a payment back.

Source: https://docs.stripe.com/disputes/how-disputes-work and https://docs.stripe.com/testing#disputes
"""

from local.stripe import errors
from local.stripe.call import Call
from local.stripe.documents import Document, new_id
from local.stripe.parameters import Parameters

UPDATE = frozenset({"evidence", "metadata", "submit"})
_PARAM = "dispute"
_EVIDENCE_DUE_S = 14 * 86_400
_CLOSED = ("won", "lost", "warning_closed")
_VERDICTS = {"winning_evidence": "won", "losing_evidence": "lost"}
_EVIDENCE = (
    "access_activity_log", "billing_address", "cancellation_policy", "cancellation_policy_disclosure",
    "cancellation_rebuttal", "customer_communication", "customer_email_address", "customer_name",
    "customer_purchase_ip", "customer_signature", "duplicate_charge_documentation", "duplicate_charge_explanation",
    "duplicate_charge_id", "product_description", "receipt", "refund_policy", "refund_policy_disclosure",
    "refund_refusal_explanation", "service_date", "service_documentation", "shipping_address", "shipping_carrier",
    "shipping_date", "shipping_documentation", "shipping_tracking_number", "uncategorized_file", "uncategorized_text",
)  # fmt: skip


def open_dispute(
    call: Call, charge: Document, *, reason: str, amount: int | None = None, inquiry: bool = False
) -> Document:
    """Open a dispute about a charge.

    Args:
        call: The call that causes it.
        charge: A charge that succeeded and is not disputed.
        reason: Stripe's value for it, such as `fraudulent` or `product_not_received`.
        amount: Minor units of the charge's currency; `None` is the amount that is not refunded.
        inquiry: Whether the bank only makes an inquiry; then no money moves.
    """
    if not charge["paid"] or charge["disputed"]:
        raise errors.unexpected_state("This charge cannot be disputed.", code="charge_already_disputed")
    disputed_amount = amount or charge["amount"] - charge["amount_refunded"]
    dispute = _blank(call, charge, reason=reason, amount=disputed_amount, inquiry=inquiry)
    call.state.put(dispute)
    call.change(charge, disputed=True)
    call.emit("charge.dispute.created", dispute)
    if not inquiry:
        call.emit("charge.dispute.funds_withdrawn", dispute)
    return dispute


def decide(call: Call, dispute: Document, *, won: bool) -> Document:
    """Close a dispute; if it is won, the money comes back."""
    if dispute["status"] in _CLOSED:
        raise errors.unexpected_state("This dispute is already closed.", code="dispute_already_closed")
    inquiry = dispute["status"].startswith("warning_")
    verdict = "won" if won else "lost"
    closed = call.change(dispute, status="warning_closed" if inquiry else verdict, is_charge_refundable=won or inquiry)
    if won or inquiry:
        charge = call.fetch("charge", dispute["charge"], param="charge")
        call.change(charge, disputed=False)
    call.emit("charge.dispute.closed", closed, before=dispute)
    if won and not inquiry:
        call.emit("charge.dispute.funds_reinstated", closed)
    return closed


def update(call: Call, parameters: Parameters, object_id: str) -> Document:
    """POST /v1/disputes/:id: `winning_evidence` or `losing_evidence`, if submitted, decides the dispute at once."""
    dispute = call.fetch("dispute", object_id, param=_PARAM)
    evidence = parameters.group("evidence")
    evidence.check_names(known=_EVIDENCE, simulated=_EVIDENCE)
    is_submitted = parameters.text("submit") != "false" and bool(evidence.values)
    details = dispute["evidence_details"]
    if is_submitted:
        details = details | {"has_evidence": True, "submission_count": 1, "submission_method": "manual"}
    changed = call.change(
        dispute,
        evidence=dispute["evidence"] | evidence.values,
        evidence_details=details,
        metadata=parameters.metadata(before=dispute["metadata"]),
        status="under_review" if is_submitted and dispute["status"] == "needs_response" else dispute["status"],
    )
    call.emit("charge.dispute.updated", changed, before=dispute)
    verdict = _VERDICTS.get(evidence.text("uncategorized_text") or "")
    if is_submitted and verdict:
        return decide(call, changed, won=verdict == "won")
    return changed


def close(call: Call, _parameters: Parameters, object_id: str) -> Document:
    """POST /v1/disputes/:id/close: close the dispute as lost."""
    return decide(call, call.fetch("dispute", object_id, param=_PARAM), won=False)


def _card_case(card: Document, *, inquiry: bool) -> Document:
    case_type = "inquiry" if inquiry else "chargeback"
    return {"brand": card["brand"], "case_type": case_type, "network": card["brand"], "network_reason_code": "83"}


def _blank(call: Call, charge: Document, *, reason: str, amount: int, inquiry: bool) -> Document:
    card = charge["payment_method_details"].get("card")
    return {
        "id": new_id("du"),
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": call.now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": dict.fromkeys(_EVIDENCE) | {"enhanced_evidence": {}},
        "evidence_details": {
            "due_by": call.now + _EVIDENCE_DUE_S,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "is_charge_refundable": inquiry,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {"type": "card", "card": _card_case(card, inquiry=inquiry)} if card else None,
        "reason": reason,
        "status": "warning_needs_response" if inquiry else "needs_response",
    }
