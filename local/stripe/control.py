"""The control API under `/_control/`: faults, webhooks, and what banks and customers do later.

Requests and responses are JSON. It is for tests and the development stack only. Bodies and their defaults:

    GET    /health                            {"status": "ok"}
    GET    /objects                           the number of objects of each kind
    GET    /objects/KIND                      all of a kind (`payment_intent`, `checkout.session`, …), newest first
    POST   /objects/ID                        {any members}: overwrite them, without an event
    POST   /reset                             delete all objects, keys, deliveries and faults
    POST   /misbehaviours                     {"fault": see `Fault`, "method": "", "path": "", "times": 1, "seconds": 0}
    GET    /misbehaviours                     the faults that are still to come; DELETE removes them
    POST   /idempotency/forget                delete all kept answers, as Stripe does after a day
    POST   /webhooks                          some of `WebhookBehaviour`; GET shows it, DELETE restores the defaults
    GET    /webhooks/deliveries               every delivery and its result
    POST   /events                            {"type": …, "object": ID or document, "livemode": false}: create and send
    POST   /events/ID/deliver                 send it again
    POST   /payment_intents/ID/settle         {"outcome": "succeeded" | "failed", by default that of its test account}
    POST   /payment_intents/ID/authenticate   {"passed": true}
    POST   /payment_intents/ID/dispute        {"reason": "fraudulent", "amount": all, "inquiry": false}; /charges/ID too
    POST   /disputes/ID/win, /disputes/ID/lose
    POST   /refunds/ID/fail                   {"reason": "lost_or_stolen_card"}; /refunds/ID/succeed ends a pending one
    POST   /charges/ID/warn                   {"fraud_type": "made_with_stolen_card"}
"""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, request

from local.stripe import disputes, errors, payments, radar, refunds
from local.stripe.call import Call
from local.stripe.documents import Document
from local.stripe.misbehaviour import Fault, Misbehaviour
from local.stripe.simulation import Simulation

_Action = Callable[[Call, Document, Document], Document]
"""Takes the call, the object of the path and the body; returns the object after it."""


def blueprint(simulation: Simulation) -> Blueprint:
    """Create the control API of a simulation."""
    api = Blueprint("control", __name__, url_prefix="/_control")
    api.register_error_handler(errors.ApiError, lambda error: ({"error": error.body}, error.status))
    api.register_error_handler(TypeError, _bad_request)
    api.register_error_handler(ValueError, _bad_request)
    _add_observation(api, simulation)
    _add_faults(api, simulation)
    _add_webhooks(api, simulation)
    _add_actions(api, simulation)
    return api


def _add_observation(api: Blueprint, simulation: Simulation) -> None:
    @api.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @api.get("/objects")
    def counts() -> dict[str, int]:
        return simulation.state.counts()

    @api.get("/objects/<kind>")
    def objects(kind: str) -> list[Document]:
        return simulation.state.find(kind)

    @api.post("/objects/<object_id>")
    def overwrite(object_id: str) -> Document:
        return _overwrite(simulation, object_id, _body())

    @api.post("/reset")
    def reset() -> dict[str, int]:
        simulation.state.reset()
        simulation.misbehaviours.clear()
        simulation.plan.reset()
        return simulation.state.counts()


def _add_faults(api: Blueprint, simulation: Simulation) -> None:
    @api.get("/misbehaviours")
    def waiting() -> list[dict[str, Any]]:
        return simulation.misbehaviours.waiting()

    @api.post("/misbehaviours")
    def misbehave() -> list[dict[str, Any]]:
        body = _body()
        simulation.misbehaviours.add(Misbehaviour(**body | {"fault": Fault(body.get("fault", ""))}))
        return simulation.misbehaviours.waiting()

    @api.delete("/misbehaviours")
    def behave() -> list[dict[str, Any]]:
        simulation.misbehaviours.clear()
        return []

    @api.post("/idempotency/forget")
    def forget() -> dict[str, bool]:
        simulation.keys.forget()
        return {"forgotten": True}


def _add_webhooks(api: Blueprint, simulation: Simulation) -> None:
    @api.get("/webhooks")
    def show() -> dict[str, Any]:
        return simulation.plan.change()

    @api.post("/webhooks")
    def change() -> dict[str, Any]:
        return simulation.plan.change(**_body())

    @api.delete("/webhooks")
    def reset_webhooks() -> dict[str, Any]:
        simulation.plan.reset()
        return simulation.plan.change()

    @api.get("/webhooks/deliveries")
    def deliveries() -> list[dict[str, Any]]:
        names = ("event_id", "attempts", "next_at", "state", "last_status")
        rows = simulation.state.rows(f"SELECT {', '.join(names)} FROM deliveries ORDER BY id")
        return [dict(zip(names, row, strict=True)) for row in rows]

    @api.post("/events")
    def create_event() -> Document:
        return _create_event(simulation, _body())

    @api.post("/events/<object_id>/deliver")
    def deliver(object_id: str) -> Document:
        with simulation.state.transaction():
            event = simulation.call().fetch("event", object_id, param="id")
            simulation.plan.repeat(simulation.state, event_id=object_id)
        return event


def _add_actions(api: Blueprint, simulation: Simulation) -> None:
    def add(rule: str, kind: str, action: _Action) -> None:
        def view(object_id: str) -> Document:
            with simulation.state.transaction():
                call = simulation.call()
                return action(call, call.fetch(kind, object_id, param="id"), _body())

        api.add_url_rule(rule, rule.replace(".", "_"), view, methods=["POST"])

    add("/payment_intents/<object_id>/settle", "payment_intent", _settle)
    add("/payment_intents/<object_id>/authenticate", "payment_intent", _authenticate)
    add("/charges/<object_id>/dispute", "charge", _dispute)
    add("/payment_intents/<object_id>/dispute", "payment_intent", lambda call, intent, body: _dispute(
        call, call.fetch("charge", str(intent["latest_charge"]), param="id"), body))  # fmt: skip
    add("/disputes/<object_id>/win", "dispute", lambda call, dispute, _body: disputes.decide(call, dispute, won=True))
    add("/disputes/<object_id>/lose", "dispute", lambda call, dispute, _body: disputes.decide(call, dispute, won=False))
    add("/refunds/<object_id>/fail", "refund", _fail_refund)
    add("/refunds/<object_id>/succeed", "refund", lambda call, refund, _body: refunds.succeed(call, refund))
    add("/charges/<object_id>/warn", "charge", _warn)


def _overwrite(simulation: Simulation, object_id: str, members: Document) -> Document:
    """Overwrite members of an object, such as `created`, `amount` or `livemode`, without an event."""
    with simulation.state.transaction():
        before = simulation.state.get_any(object_id)
        if before is None:
            raise errors.missing_resource("object", object_id, param="id", status=404)
        return simulation.call().change(before, **members)


def _create_event(simulation: Simulation, body: Document) -> Document:
    """Create and send an event about an object, which the body names by its id or contains as a document."""
    kind, id_or_document = body.get("type"), body.get("object")
    if not isinstance(kind, str) or not isinstance(id_or_document, str | dict):
        raise TypeError("type and object are needed")
    with simulation.state.transaction():
        document = id_or_document if isinstance(id_or_document, dict) else simulation.state.get_any(id_or_document)
        if document is None:
            raise errors.missing_resource("object", str(id_or_document), param="object", status=404)
        return simulation.call().emit(kind, document, livemode=bool(body.get("livemode", False)))


def _settle(call: Call, intent: Document, body: Document) -> Document:
    outcome = body.get("outcome")
    if outcome not in {None, "succeeded", "failed"}:
        raise ValueError(outcome)
    return payments.settle(call, intent, succeeded=None if outcome is None else outcome == "succeeded")


def _authenticate(call: Call, intent: Document, body: Document) -> Document:
    return payments.authenticate(call, intent, passed=bool(body.get("passed", True)))


def _dispute(call: Call, charge: Document, body: Document) -> Document:
    reason = body.get("reason", "fraudulent")
    return disputes.open_dispute(
        call, charge, reason=reason, amount=body.get("amount"), inquiry=bool(body.get("inquiry", False))
    )


def _fail_refund(call: Call, refund: Document, body: Document) -> Document:
    return refunds.fail(call, refund, reason=body.get("reason", "lost_or_stolen_card"))


def _warn(call: Call, charge: Document, body: Document) -> Document:
    return radar.warn(call, charge, fraud_type=body.get("fraud_type", "made_with_stolen_card"))


def _body() -> Document:
    body = request.get_json(silent=True) or {}
    if not isinstance(body, dict):
        raise TypeError("a JSON object is expected")
    return body


def _bad_request(error: Exception) -> tuple[Document, int]:
    return {"error": {"message": str(error), "type": "invalid_request_error"}}, 400
