"""The local Stripe as a Flask application."""

import base64
import binascii
import socket
from typing import Any

import flask
import stripe
from flask import Flask, Response, request

from local.stripe import control, errors, pages
from local.stripe.documents import new_id
from local.stripe.misbehaviour import Fault, Misbehaviour
from local.stripe.parameters import decode
from local.stripe.routes import ENDPOINTS, Endpoint
from local.stripe.simulation import ApiRequest, Simulation

_TEST_KEYS = ("sk_test_", "rk_test_")
_LIVE_KEYS = ("sk_live_", "rk_live_", "pk_live_")
_REFUSALS_BEFORE_WORK = {
    Fault.BROKEN_BEFORE: lambda _key: errors.broken(executed=False),
    Fault.RATE_LIMITED: lambda _key: errors.rate_limited(),
    Fault.CONFLICT: errors.key_in_use,
}
_SERVER_ERRORS = 500


def create_app(simulation: Simulation) -> Flask:
    """Create the application for a simulation."""
    app = Flask(__name__, template_folder="pages")
    app.json.sort_keys = False  # type: ignore[attr-defined]
    for endpoint in ENDPOINTS:
        name = f"{endpoint.method} {endpoint.rule}".replace(".", "_")
        app.add_url_rule(endpoint.rule, name, _view(simulation, endpoint), methods=[endpoint.method])
    app.register_blueprint(control.blueprint(simulation))
    app.register_blueprint(pages.blueprint(simulation))
    app.register_error_handler(errors.ApiError, lambda error: _refusal(error, new_id("req")))
    app.register_error_handler(404, _unrecognized)
    app.register_error_handler(405, _unrecognized)
    return app


def _view(simulation: Simulation, endpoint: Endpoint) -> Any:
    def view(**path_ids: str) -> Response:
        request_id = new_id("req")
        misbehaviour = None
        try:
            _authenticate()
            api_request = _api_request(endpoint, path_ids, request_id)
            misbehaviour = simulation.misbehaviours.take(request.method, request.path)
            if misbehaviour is not None and misbehaviour.fault in _REFUSALS_BEFORE_WORK:
                raise _REFUSALS_BEFORE_WORK[misbehaviour.fault](api_request.key or "")
            answer, is_replay = simulation.answer(api_request, misbehaviour)
        except errors.ApiError as error:
            return _refusal(error, request_id)
        response = flask.jsonify(answer.body)
        response.status_code = answer.status
        if answer.status >= _SERVER_ERRORS:
            response.headers["Stripe-Should-Retry"] = "false"  # The answer is kept: a retry would only replay it.
        if api_request.key is not None:
            response.headers["Idempotency-Key"] = api_request.key
            response.headers["Original-Request"] = answer.request_id
        if is_replay:
            response.headers["Idempotent-Replayed"] = "true"
        _close_connection(misbehaviour)
        return _add_headers(response, request_id)

    return view


def _api_request(endpoint: Endpoint, path_ids: dict[str, str], request_id: str) -> ApiRequest:
    is_post = request.method == "POST"
    fields = request.form if is_post else request.args
    values = decode(list(fields.items(multi=True)))
    key = request.headers.get("Idempotency-Key") or None if is_post else None
    return ApiRequest(endpoint, request.path, values, path_ids, request_id, key)


def _authenticate() -> None:
    """Accept any test key, as Bearer token or as Basic user, and refuse live keys."""
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    key = credentials
    if scheme.lower() == "basic":
        try:
            key = base64.b64decode(credentials, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            key = ""
    if key.startswith(_LIVE_KEYS):
        raise errors.unauthorized("The local Stripe refuses live keys.")
    if not key:
        raise errors.unauthorized(
            "You did not provide an API key. You need to provide your API key in the Authorization header, using "
            "Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
        )
    if not key.startswith(_TEST_KEYS):
        raise errors.unauthorized("Invalid API Key provided: it must begin with sk_test_.")


def _refusal(error: errors.ApiError, request_id: str) -> Response:
    response = flask.jsonify({"error": error.body})
    response.status_code = error.status
    if error.should_retry is not None:
        response.headers["Stripe-Should-Retry"] = "true" if error.should_retry else "false"
    return _add_headers(response, request_id)


def _add_headers(response: Response, request_id: str) -> Response:
    response.headers["Request-Id"] = request_id
    response.headers["Stripe-Version"] = request.headers.get("Stripe-Version") or stripe.api_version
    return response


def _close_connection(misbehaviour: Misbehaviour | None) -> None:
    """Close the connection before the response is sent, as a crash after the work does."""
    if misbehaviour is not None and misbehaviour.fault is Fault.DIE_AFTER:
        request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)


def _unrecognized(_error: Exception) -> Response:
    message = f"Unrecognized request URL ({request.method}: {request.path})."
    return _refusal(errors.invalid_request(message, status=404), new_id("req"))
