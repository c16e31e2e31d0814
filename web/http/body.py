"""Reading a JSON body: strictly, within bounds, without repeated members, NaN and other traps of JSON."""

import json
import threading
from typing import Any, Final, NoReturn, TypeVar

from flask import request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from domain.errors import Busy
from web.http.problems import BadRequest

T = TypeVar("T", bound=BaseModel)

READING_MAX: Final = 16
"""How many threads of this process may read bodies: half of them. Clients that send slowly can occupy these, but not
those that serve requests without a body."""

READING_WAIT_S: Final = 0.5

_ESCAPE: Final = b"\\u"
_reading: Final = threading.BoundedSemaphore(READING_MAX)


def read_body(model: type[T], *, optional: bool = False) -> T:
    """Read the request's JSON body as `model`.

    Args:
        optional: An empty body means an empty object.

    Raises:
        UnsupportedMediaType: a body that is not declared as JSON.
        BadRequest: a body that is not JSON, or not the model's.
    """
    raw = read_raw()
    if optional and not raw:
        raw = b"{}"
    elif request.mimetype != "application/json" or _is_encoded():
        raise UnsupportedMediaType("The body must be application/json in UTF-8, not compressed")
    refuse_traps(raw)
    try:
        return model.model_validate_json(raw, by_alias=True, by_name=False)
    except ValidationError as error:
        raise invalid(error, "body") from None


def read_raw() -> bytes:
    """Read the request's body as it was sent.

    Raises:
        RequestEntityTooLarge: it is larger than this request allows.
        Busy: too many other bodies are being read.
    """
    if not _reading.acquire(timeout=READING_WAIT_S):
        raise Busy("too many bodies are being sent")
    try:
        raw = request.get_data(cache=False)
    finally:
        _reading.release()
    # A body sent in chunks has no length in advance; werkzeug cuts it at the bound and does not refuse it.
    if request.content_length is None and len(raw) == request.max_content_length:
        raise RequestEntityTooLarge
    return raw


def _is_encoded() -> bool:
    """Return whether the body is declared as anything but plain UTF-8."""
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    return charset not in {"utf-8", "utf8"} or request.headers.get("Content-Encoding", "identity") != "identity"


def invalid(error: ValidationError, where: str) -> BadRequest:
    """Turn pydantic's errors into a refusal. Values are not repeated: they may be secrets."""
    errors = [
        {"field": ".".join(str(part) for part in detail["loc"]) or where, "message": detail["msg"]}
        for detail in error.errors(include_url=False, include_input=False, include_context=False)
    ]
    return BadRequest(f"The {where} is not valid", errors=errors)


def refuse_traps(raw: bytes) -> None:
    """Refuse what JSON parsers accept silently or fail on: repeated members, NaN, infinities, depth, bad text.

    Raises:
        BadRequest: the text is not JSON, or contains one of these.
    """
    try:
        parsed = json.loads(raw, object_pairs_hook=_unrepeated, parse_constant=_no_constant, parse_float=_finite_float)
        if _ESCAPE in raw:
            _refuse_bad_text(parsed)
    except BadRequest:
        raise
    except (ValueError, RecursionError):
        raise BadRequest("The body is not valid JSON") from None


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise BadRequest("The body has a member twice")
    return members


def _no_constant(_name: str) -> NoReturn:
    raise BadRequest("The body has a number that JSON does not know")


def _finite_float(text: str) -> float:
    number = float(text)
    if number in {float("inf"), float("-inf")}:
        raise BadRequest("The body has a number that is too large")
    return number


def _refuse_bad_text(value: Any) -> None:
    """Refuse NUL and lone surrogates, which no database text can hold. Raw ones are refused by the parser."""
    if isinstance(value, str):
        if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise BadRequest("The body has a character that is not allowed")
    elif isinstance(value, dict):
        for name, member in value.items():
            _refuse_bad_text(name)
            _refuse_bad_text(member)
    elif isinstance(value, list):
        for member in value:
            _refuse_bad_text(member)
