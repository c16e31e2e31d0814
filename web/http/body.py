"""Reading a JSON body: strictly, within bounds, without repeated members, NaN and other traps of JSON."""

import json
import re
from typing import Any, Final, NoReturn, TypeVar

from flask import request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import UnsupportedMediaType

from domain.rules.texts import with_whole_characters
from web.http.problems import BadRequest

T = TypeVar("T", bound=BaseModel)

_SURROGATE_ESCAPE: Final = re.compile(rb"\\u[dD][89a-fA-F]")


def read_body(model: type[T], *, optional: bool = False) -> T:
    """Read the request's JSON body as `model`.

    Args:
        optional: An empty body means an empty object.

    Raises:
        UnsupportedMediaType: a body that is not declared as JSON.
        BadRequest: a body that is not JSON, or not the model's.
    """
    raw = request.get_data(cache=False)
    if optional and not raw:
        raw = b"{}"
    elif request.mimetype != "application/json" or _is_encoded():
        raise UnsupportedMediaType("The body must be application/json in UTF-8, not compressed")
    try:
        return model.model_validate_json(without_traps(raw), by_alias=True, by_name=False)
    except ValidationError as error:
        raise invalid(error, "body") from None


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


def without_traps(raw: bytes) -> bytes:
    """Return JSON without what parsers accept silently or fail on; half of a surrogate pair becomes U+FFFD.

    That is the one trap that is mended: only the model knows whether a text is cleaned or refused.

    Raises:
        BadRequest: the text is not JSON, or has a repeated member, NaN, an infinity, or too much depth.
    """
    try:
        parsed = json.loads(raw, object_pairs_hook=_unrepeated, parse_constant=_no_constant, parse_float=_finite_float)
        return json.dumps(with_whole_characters(parsed)).encode() if _SURROGATE_ESCAPE.search(raw) else raw
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
