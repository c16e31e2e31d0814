"""Stripe's error responses.

Source: https://docs.stripe.com/api/errors and https://docs.stripe.com/error-codes.
"""

from local.stripe.documents import Document

_DOCS = "https://docs.stripe.com/error-codes/"


class ApiError(Exception):
    """A request that Stripe answers with an error.

    Attributes:
        status: HTTP status.
        body: The `error` member of the response.
        executed: Whether the endpoint had begun its work. Only then the response is kept for the idempotency key, and
            what was written stays (a declined card leaves a failed charge).
        should_retry: The header `Stripe-Should-Retry`; `None` leaves it out.
    """

    def __init__(
        self, status: int, body: Document, *, executed: bool = False, should_retry: bool | None = None
    ) -> None:
        super().__init__(body.get("message"))
        self.status = status
        self.body = body
        self.executed = executed
        self.should_retry = should_retry


def invalid_request(message: str, *, param: str | None = None, code: str | None = None, status: int = 400) -> ApiError:
    """Refuse parameters before any work is done."""
    return ApiError(status, _body("invalid_request_error", message, code=code, param=param))


def missing_resource(kind: str, object_id: str, *, param: str, status: int = 400) -> ApiError:
    """Refuse an id of no object: 404 for an id in the path, 400 for an id in a parameter."""
    return invalid_request(f"No such {kind}: '{object_id}'", param=param, code="resource_missing", status=status)


def unexpected_state(message: str, *, code: str, members: Document | None = None) -> ApiError:
    """Refuse a call that the object's status does not allow; Stripe keeps this response for the key."""
    body = _body("invalid_request_error", message, code=code, param=None)
    return ApiError(400, body | (members or {}), executed=True)


def unauthorized(message: str) -> ApiError:
    """Refuse a call without a usable key."""
    return ApiError(401, _body("invalid_request_error", message, code=None, param=None))


def idempotency_mismatch(message: str) -> ApiError:
    """Refuse a key that was first used with other parameters or for another endpoint."""
    return ApiError(400, _body("idempotency_error", message, code=None, param=None), should_retry=False)


def key_in_use(key: str) -> ApiError:
    """Refuse a key whose first request is still running."""
    message = (
        "There is currently another in-progress request using this Idempotent Key (that probably means you submitted "
        f"twice, and the other request is still going through): {key}. Please try again later."
    )
    body = _body("idempotency_error", message, code="idempotency_key_in_use", param=None)
    return ApiError(409, body, should_retry=True)


def rate_limited() -> ApiError:
    """Refuse because of too many requests. It comes before any work, so it is not kept for the key."""
    message = "Request rate limit exceeded. Learn more about rate limits here https://docs.stripe.com/rate-limits."
    return ApiError(429, _body("invalid_request_error", message, code="rate_limit", param=None))


def broken(*, executed: bool) -> ApiError:
    """Fail as Stripe does after an error on its side; if `executed`, the response is kept for the key."""
    message = "An unknown error occurred"
    body = _body("api_error", message, code=None, param=None)
    return ApiError(500, body, executed=executed, should_retry=True)


def card_declined(body: Document) -> ApiError:
    """Refuse with 402 a payment that the card's issuer declined; `body` contains the charge and the PaymentIntent."""
    return ApiError(402, body, executed=True)


def documentation_url(code: str) -> str:
    """Return the address of the page that explains an error code."""
    return _DOCS + code.replace("_", "-")


def _body(kind: str, message: str, *, code: str | None, param: str | None) -> Document:
    body: Document = {"message": message, "type": kind}
    if code is not None:
        body |= {"code": code, "doc_url": documentation_url(code)}
    if param is not None:
        body["param"] = param
    return body
