"""The control API under `/_control/`: faults, webhooks, and what banks and customers do meanwhile.

JSON in, JSON out; for tests and the development stack only. Bodies and their defaults:

    GET    /health                            {"status": "ok"}
    GET    /objects                           how many of each kind
    GET    /objects/KIND                      all of a kind (`payment_intent`, `checkout.session`, …), newest first
    POST   /objects/ID                        {any members}: overwrite them silently
    POST   /reset                             forget all objects, keys, deliveries and faults
    POST   /misbehaviours                     {"fault": see `Fault`, "method": "", "path": "", "times": 1, "seconds": 0}
    GET    /misbehaviours                     the faults still to come; DELETE calls them off
    POST   /idempotency/forget                as after a day
    POST   /webhooks                          some of `WebhookBehaviour`; GET shows it, DELETE makes it good again
    GET    /webhooks/deliveries               every delivery and how it went
    POST   /events                            {"type": …, "object": ID or document, "livemode": false}: make and send
    POST   /events/ID/deliver                 send again
    POST   /payment_intents/ID/settle         {"outcome": "succeeded" | "failed", by default what its account does}
    POST   /payment_intents/ID/authenticate   {"passed": true}
    POST   /payment_intents/ID/dispute        {"reason": "fraudulent", "amount": all, "inquiry": false}; /charges/ID too
    POST   /disputes/ID/win, /disputes/ID/lose
    POST   /refunds/ID/fail                   {"reason": "lost_or_stolen_card"}; /refunds/ID/succeed ends a pending one
    POST   /charges/ID/warn                   {"fraud_type": "made_with_stolen_card"}
"""

from collections.abc import Callable
from typing import Any

import flask
from flask import Blueprint, Response, request

from local.stripe import disputes, errors, payments, radar, refunds
from local.stripe.call import Call
from local.stripe.documents import Document
from local.stripe.misbehaviour import Fault, Misbehaviour
from local.stripe.simulation import Simulation

_Act = Callable[[Call, Document, Document], Document]
"""Takes the act, the object of the path and the body; gives the object after it."""


def blueprint(simulation: Simulation) -> Blueprint:
    """Make the control API of one simulation."""
    api = Blueprint("control", __name__, url_prefix="/_control")
    api.register_error_handler(errors.ApiError, _refusal)
    api.register_error_handler(TypeError, _bad_request)
    api.register_error_handler(ValueError, _bad_request)
    _add_observation(api, simulation)
    _add_faults(api, simulation)
    _add_webhooks(api, simulation)
    _add_acts(api, simulation)
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

    @api.post("/objects/<identity>")
    def forge(identity: str) -> Document:
        return _forge(simulation, identity, _body())

    @api.post("/reset")
    def reset() -> dict[str, int]:
        simulation.state.reset()
        simulation.misbehaviours.clear()
        simulation.plan.good()
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
        return simulation.plan.behave()

    @api.post("/webhooks")
    def change() -> dict[str, Any]:
        return simulation.plan.behave(**_body())

    @api.delete("/webhooks")
    def good() -> dict[str, Any]:
        simulation.plan.good()
        return simulation.plan.behave()

    @api.get("/webhooks/deliveries")
    def deliveries() -> list[dict[str, Any]]:
        names = ("event_id", "attempts", "next_at", "state", "last_status")
        rows = simulation.state.rows(f"SELECT {', '.join(names)} FROM deliveries ORDER BY id")
        return [dict(zip(names, row, strict=True)) for row in rows]

    @api.post("/events")
    def make() -> Document:
        return _make_event(simulation, _body())

    @api.post("/events/<identity>/deliver")
    def deliver(identity: str) -> Document:
        with simulation.state.transaction():
            event = simulation.call().fetch("event", identity, param="id")
            simulation.plan.again(simulation.state, event_id=identity)
        return event


def _add_acts(api: Blueprint, simulation: Simulation) -> None:
    def add(rule: str, kind: str, act: _Act) -> None:
        def view(identity: str) -> Document:
            with simulation.state.transaction():
                call = simulation.call()
                return act(call, call.fetch(kind, identity, param="id"), _body())

        api.add_url_rule(rule, rule.replace(".", "_"), view, methods=["POST"])

    add("/payment_intents/<identity>/settle", "payment_intent", _settle)
    add("/payment_intents/<identity>/authenticate", "payment_intent", _authenticate)
    add("/charges/<identity>/dispute", "charge", _dispute)
    add("/payment_intents/<identity>/dispute", "payment_intent", lambda call, intent, body: _dispute(
        call, call.fetch("charge", str(intent["latest_charge"]), param="id"), body))  # fmt: skip
    add("/disputes/<identity>/win", "dispute", lambda call, dispute, _body: disputes.decide(call, dispute, won=True))
    add("/disputes/<identity>/lose", "dispute", lambda call, dispute, _body: disputes.decide(call, dispute, won=False))
    add("/refunds/<identity>/fail", "refund", _fail_refund)
    add("/refunds/<identity>/succeed", "refund", lambda call, refund, _body: refunds.succeed(call, refund))
    add("/charges/<identity>/warn", "charge", _warn)


def _forge(simulation: Simulation, identity: str, members: Document) -> Document:
    """Overwrite members of an object without any event: another `created`, amount or `livemode`."""
    with simulation.state.transaction():
        before = simulation.state.any(identity)
        if before is None:
            raise errors.missing_resource("object", identity, param="id", status=404)
        return simulation.call().change(before, **members)


def _make_event(simulation: Simulation, body: Document) -> Document:
    """Make and deliver an event about an object: one of ours by its id, or any that is written out."""
    kind, subject = body.get("type"), body.get("object")
    if not isinstance(kind, str) or not isinstance(subject, str | dict):
        raise TypeError("type and object are needed")
    with simulation.state.transaction():
        document = subject if isinstance(subject, dict) else simulation.state.any(subject)
        if document is None:
            raise errors.missing_resource("object", str(subject), param="object", status=404)
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


def _refusal(error: errors.ApiError) -> Response:
    response = flask.jsonify({"error": error.body})
    response.status_code = error.status
    return response


def _bad_request(error: Exception) -> Response:
    response = flask.jsonify({"error": {"message": str(error), "type": "invalid_request_error"}})
    response.status_code = 400
    return response
