"""Problem documents (`application/problem+json`, RFC 9457), and the status of each refusal."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import structlog
from flask import Flask, Response, json
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from domain.errors import (
    Busy,
    GiftCancelled,
    GiftDepleted,
    GiftExpired,
    GiftNotForYou,
    HoldEnded,
    HoldExceeded,
    HoldExpired,
    InsufficientCredits,
    JobStateRefused,
    KeyReused,
    NotFound,
    NotRefundable,
    OperationNotUsable,
    OwnGift,
    PriceDisagrees,
    Refusal,
    SyncAlreadyActive,
    SyncGifted,
    SyncNotActive,
    TooManyPurchases,
    Unavailable,
    UnknownOperation,
    UserErased,
)
from domain.store import UnfitDatabase
from web.http.models import Problem

STATUSES: Final[Mapping[str, int]] = {
    InsufficientCredits.code: 402,
    NotFound.code: 404,
    NotRefundable.code: 400,
    JobStateRefused.code: 400,
    KeyReused.code: 422,
    SyncAlreadyActive.code: 400,
    SyncNotActive.code: 400,
    SyncGifted.code: 400,
    GiftDepleted.code: 400,
    GiftExpired.code: 400,
    GiftCancelled.code: 400,
    GiftNotForYou.code: 400,
    OwnGift.code: 400,
    HoldEnded.code: 400,
    HoldExpired.code: 400,
    HoldExceeded.code: 400,
    UnknownOperation.code: 400,
    OperationNotUsable.code: 400,
    PriceDisagrees.code: 400,
    UserErased.code: 403,
    TooManyPurchases.code: 429,
}
"""The status of every refusal of the domain, by its code."""

PROBLEM_JSON: Final = "application/problem+json"
_TYPE: Final = "urn:mana-credits:problem:"

log = structlog.get_logger()


class BadRequest(Refusal):
    """The body, path, query or a header is not valid."""

    code = "validation_error"
    title = "Invalid request"

    def __init__(self, detail: str, *, errors: Sequence[Mapping[str, str]] = ()) -> None:
        super().__init__(detail)
        self.errors = errors


class Unauthorized(Refusal):
    """The caller is unknown: no token or key, or not a valid one."""

    code = "unauthorized"
    title = "Unauthorized"


class Forbidden(Refusal):
    """The caller is known and may not do this."""

    code = "forbidden"
    title = "Forbidden"


class NotReady(Refusal):
    """Something the service needs is not available; the same request may succeed in a moment."""

    code = "not_ready"
    title = "Service unavailable"


class TooManyRequests(Refusal):
    """The caller sends too many requests.

    Attributes:
        retry_after_s: Seconds after which it may ask again.
    """

    code = "too_many_requests"
    title = "Too many requests"

    def __init__(self, *, retry_after_s: int) -> None:
        super().__init__("Too many attempts; try again later")
        self.retry_after_s = retry_after_s


HTTP_STATUSES: Final[Mapping[str, int]] = {
    **STATUSES,
    BadRequest.code: 400,
    Unauthorized.code: 401,
    Forbidden.code: 403,
    NotReady.code: 503,
    TooManyRequests.code: 429,
    "job_failed": 503,
    "job_killed_worker": 503,
}

_KINDS: Final = {
    400: ("bad_request", "Bad request"),
    401: (Unauthorized.code, Unauthorized.title),
    403: (Forbidden.code, Forbidden.title),
    404: (NotFound.code, NotFound.title),
    405: ("method_not_allowed", "Method not allowed"),
    408: ("request_timeout", "Request timeout"),
    413: ("body_too_large", "Body too large"),
    415: ("unsupported_media_type", "Unsupported media type"),
    429: (TooManyRequests.code, TooManyRequests.title),
}
"""Code and title of what Flask refuses by itself, by status. A code has one title (RFC 9457, section 3.1.3)."""


def problem(status: int, code: str, title: str, detail: str, **members: Any) -> Response:
    """Build a response with a problem document."""
    document = {
        "type": f"{_TYPE}{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "statusCode": status,
        "message": detail,
        **members,
    }
    answer = Response(json.dumps(document), status, mimetype=PROBLEM_JSON)
    if status == 503:  # noqa: PLR2004
        answer.headers["Retry-After"] = "1"
    if status == 401:  # noqa: PLR2004
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def job_problem(stored: Mapping[str, Any], *, job_id: UUID | None = None) -> Problem:
    """Build the problem document of a job that was refused or failed.

    Args:
        stored: The job's problem: `code`, `title`, `detail` and perhaps more members.
        job_id: Of the job, if the document is itself the answer.
    """
    status = HTTP_STATUSES.get(stored["code"], 400)
    return Problem(
        type=f"{_TYPE}{stored['code']}",
        status=status,
        status_code=status,
        message=stored["detail"],
        job_id=job_id,
        **stored,
    )


def refused(refusal: Refusal) -> Response:
    """Answer with a refusal."""
    members: dict[str, Any] = {"details": dict(refusal.details)} if refusal.details else {}
    if isinstance(refusal, BadRequest) and refusal.errors:
        members["errors"] = list(refusal.errors)
    answer = problem(HTTP_STATUSES[refusal.code], refusal.code, refusal.title, refusal.detail, **members)
    if isinstance(refusal, TooManyRequests | TooManyPurchases):
        answer.headers["Retry-After"] = str(refusal.retry_after_s)
    return answer


def install(app: Flask) -> None:
    """Answer every error with a problem document."""

    @app.errorhandler(Refusal)
    def _(refusal: Refusal) -> Response:
        return refused(refusal)

    @app.errorhandler(Busy)
    def _(_busy: Busy) -> Response:
        return problem(503, "busy", "Busy", "Too much is happening to this account at once; try again")

    @app.errorhandler(Unavailable)
    @app.errorhandler(UnfitDatabase)
    def _(error: Exception) -> Response:
        log.warning("database_unavailable", error=type(error).__name__)
        return problem(503, "database_unavailable", "Service unavailable", "The database is away; try again")

    @app.errorhandler(HTTPException)
    def _(error: HTTPException) -> Response:
        return _refused_by_flask(error)

    @app.errorhandler(Exception)
    def _(error: Exception) -> Response:
        log.error("unexpected_error", exc_info=error)
        return problem(500, "internal_error", "Internal error", "Something went wrong; it has been written down")


def _refused_by_flask(error: HTTPException) -> Response:
    status = error.code or 500
    code, title = _KINDS.get(status, ("http_error", error.name))
    answer = problem(status, code, title, error.description or title)
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        answer.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return answer
