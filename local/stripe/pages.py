"""The pages a customer sees: Checkout, and the bank's 3-D Secure question. Plain HTML, no scripts."""

from urllib.parse import urlencode

import flask
from flask import Blueprint, request
from werkzeug.wrappers import Response

from local.stripe import checkout, instruments, payments
from local.stripe.documents import Document
from local.stripe.simulation import Simulation

_GONE = 410
_UNPROCESSABLE = 422
_PAID = ("succeeded", "processing")


def blueprint(simulation: Simulation) -> Blueprint:
    """Make the pages of one simulation."""
    site = Blueprint("pages", __name__)

    @site.get("/c/pay/<identity>")
    def show(identity: str) -> str | tuple[str, int] | Response:
        return _show(simulation, identity)

    @site.post("/c/pay/<identity>")
    def pay(identity: str) -> str | tuple[str, int] | Response:
        return _pay(simulation, identity)

    @site.get("/c/authenticate/<identity>")
    def ask(identity: str) -> str | tuple[str, int]:
        intent = simulation.state.get("payment_intent", identity)
        if intent is None or intent["status"] != "requires_action":
            return flask.render_template("ended.html", title="There is nothing to authenticate"), _GONE
        return flask.render_template("authenticate.html", intent=intent, amount=_money(intent))

    @site.post("/c/authenticate/<identity>")
    def authenticate(identity: str) -> Response:
        return _authenticate(simulation, identity)

    return site


def _show(simulation: Simulation, identity: str) -> str | tuple[str, int] | Response:
    simulation.tick()
    session = simulation.state.get("checkout.session", identity)
    if session is None:
        return flask.render_template("ended.html", title="There is no such Checkout Session"), 404
    if session["status"] == "complete":
        return flask.redirect(checkout.landing_url(session), 303)
    if session["status"] == "expired":
        return flask.render_template("ended.html", title="This Checkout Session has expired"), _GONE
    return _form(simulation, session, message=_last_refusal(simulation, session))


def _pay(simulation: Simulation, identity: str) -> str | tuple[str, int] | Response:
    simulation.tick()
    with simulation.state.transaction():
        session = simulation.state.get("checkout.session", identity)
        if session is None or session["status"] != "open":
            return flask.redirect(f"{simulation.base_url}/c/pay/{identity}", 303)
        instrument = instruments.by_number(request.form.get("number", ""))
        if instrument is None or instrument.type not in session["payment_method_types"]:
            return _form(simulation, session, message="Your card number is invalid."), _UNPROCESSABLE
        intent = checkout.pay(simulation.call(), session, instrument, email=request.form.get("email") or None)
    if intent["status"] == "requires_action":
        return flask.redirect(f"{simulation.base_url}/c/authenticate/{intent['id']}", 303)
    if intent["status"] in _PAID:
        return flask.redirect(checkout.landing_url(session), 303)
    return _form(simulation, session, message=intent["last_payment_error"]["message"]), _UNPROCESSABLE


def _authenticate(simulation: Simulation, identity: str) -> Response:
    with simulation.state.transaction():
        call = simulation.call()
        before = call.fetch("payment_intent", identity, param="intent")
        intent = before
        if before["status"] == "requires_action":
            intent = payments.authenticate(call, before, passed=request.form.get("outcome") == "complete")
    return_url = ((before["next_action"] or {}).get("redirect_to_url") or {}).get("return_url")
    if return_url is None:
        return flask.redirect(f"{simulation.base_url}/c/authenticate/{identity}", 303)
    if return_url.startswith(f"{simulation.base_url}/c/pay/"):
        return flask.redirect(return_url, 303)
    facts = {
        "payment_intent": identity,
        "payment_intent_client_secret": intent["client_secret"],
        "redirect_status": "succeeded" if intent["status"] == "succeeded" else "failed",
    }
    return flask.redirect(f"{return_url}{'&' if '?' in return_url else '?'}{urlencode(facts)}", 303)


def _last_refusal(simulation: Simulation, session: Document) -> str | None:
    intent = simulation.state.get("payment_intent", session["payment_intent"] or "")
    refusal = intent["last_payment_error"] if intent else None
    return refusal["message"] if refusal else None


def _form(simulation: Simulation, session: Document, *, message: str | None) -> str:
    customer = simulation.state.get("customer", session["customer"] or "") or {}
    return flask.render_template(
        "checkout.html",
        session=session,
        lines=simulation.state.hidden(session["id"])["line_items"],
        amount=_money({"amount": session["amount_total"], "currency": session["currency"]}),
        email=request.form.get("email") or session["customer_email"] or customer.get("email") or "",
        number=request.form.get("number", "4242 4242 4242 4242"),
        message=message,
    )


def _money(priced: Document) -> str:
    return f"{priced['amount'] / 100:.2f} {priced['currency'].upper()}"
