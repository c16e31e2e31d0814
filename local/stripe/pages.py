"""The pages that a customer sees: Checkout, and the bank's 3-D Secure page. They have no scripts."""

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
    """Create the pages of a simulation."""
    site = Blueprint("pages", __name__)

    @site.get("/c/pay/<object_id>")
    def show(object_id: str) -> str | tuple[str, int] | Response:
        return _show(simulation, object_id)

    @site.post("/c/pay/<object_id>")
    def pay(object_id: str) -> str | tuple[str, int] | Response:
        return _pay(simulation, object_id)

    @site.get("/c/authenticate/<object_id>")
    def ask(object_id: str) -> str | tuple[str, int]:
        intent = simulation.state.get("payment_intent", object_id)
        if intent is None or intent["status"] != "requires_action":
            return flask.render_template("ended.html", title="There is nothing to authenticate"), _GONE
        return flask.render_template("authenticate.html", amount=_money(intent["amount"], intent["currency"]))

    @site.post("/c/authenticate/<object_id>")
    def authenticate(object_id: str) -> Response:
        return _authenticate(simulation, object_id)

    return site


def _show(simulation: Simulation, object_id: str) -> str | tuple[str, int] | Response:
    simulation.tick()
    session = simulation.state.get("checkout.session", object_id)
    if session is None:
        return flask.render_template("ended.html", title="There is no such Checkout Session"), 404
    if session["status"] == "complete":
        return flask.redirect(checkout.landing_url(session), 303)
    if session["status"] == "expired":
        return flask.render_template("ended.html", title="This Checkout Session has expired"), _GONE
    return _checkout_form(simulation, session, message=_last_refusal(simulation, session))


def _pay(simulation: Simulation, object_id: str) -> str | tuple[str, int] | Response:
    simulation.tick()
    with simulation.state.transaction():
        session = simulation.state.get("checkout.session", object_id)
        if session is None or session["status"] != "open":
            return flask.redirect(f"{simulation.base_url}/c/pay/{object_id}", 303)
        instrument = instruments.by_number(request.form.get("number", ""))
        if instrument is None or instrument.type not in session["payment_method_types"]:
            return _checkout_form(simulation, session, message="Your card number is invalid."), _UNPROCESSABLE
        intent = checkout.pay(simulation.call(), session, instrument, email=request.form.get("email") or None)
    if intent["status"] == "requires_action":
        return flask.redirect(f"{simulation.base_url}/c/authenticate/{intent['id']}", 303)
    if intent["status"] in _PAID:
        return flask.redirect(checkout.landing_url(session), 303)
    return _checkout_form(simulation, session, message=intent["last_payment_error"]["message"]), _UNPROCESSABLE


def _authenticate(simulation: Simulation, object_id: str) -> Response:
    with simulation.state.transaction():
        call = simulation.call()
        before = call.fetch("payment_intent", object_id, param="intent")
        intent = before
        if before["status"] == "requires_action":
            intent = payments.authenticate(call, before, passed=request.form.get("outcome") == "complete")
    return_url = ((before["next_action"] or {}).get("redirect_to_url") or {}).get("return_url")
    if return_url is None:
        return flask.redirect(f"{simulation.base_url}/c/authenticate/{object_id}", 303)
    if return_url.startswith(f"{simulation.base_url}/c/pay/"):
        return flask.redirect(return_url, 303)
    query = {
        "payment_intent": object_id,
        "payment_intent_client_secret": intent["client_secret"],
        "redirect_status": "succeeded" if intent["status"] == "succeeded" else "failed",
    }
    return flask.redirect(f"{return_url}{'&' if '?' in return_url else '?'}{urlencode(query)}", 303)


def _last_refusal(simulation: Simulation, session: Document) -> str | None:
    intent = simulation.state.get("payment_intent", session["payment_intent"] or "")
    refusal = intent["last_payment_error"] if intent else None
    return refusal["message"] if refusal else None


def _checkout_form(simulation: Simulation, session: Document, *, message: str | None) -> str:
    customer = simulation.state.get("customer", session["customer"] or "") or {}
    return flask.render_template(
        "checkout.html",
        session=session,
        lines=simulation.state.hidden(session["id"])["line_items"],
        amount=_money(session["amount_total"], session["currency"]),
        email=request.form.get("email") or session["customer_email"] or customer.get("email") or "",
        number=request.form.get("number", "4242 4242 4242 4242"),
        message=message,
    )


def _money(amount: int, currency: str) -> str:
    return f"{amount / 100:.2f} {currency.upper()}"
