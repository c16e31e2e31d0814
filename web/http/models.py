"""The base of every body, query and answer: camelCase in JSON, snake_case here, nothing unknown, no coercion."""

import json
import math
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import SkipJsonSchema
from typing_extensions import TypeAliasType

from domain.rules.instants import check_day, check_instant
from domain.rules.texts import check_id, clean_document, clean_text
from domain.rules.user_ids import is_user_id
from domain.units import AMOUNT_MAX, USER_ID_MAX

METADATA_BYTES_MAX: Final = 4_096


class Model(BaseModel):
    """A JSON object of the wire contract."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        extra="forbid",
        strict=True,
        from_attributes=True,
    )


def instant(moment: datetime) -> str:
    """Format a time as the contract says: UTC, milliseconds, `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def _exponent_digits(value: Any) -> int:
    """Count the digits that PostgreSQL writes for an exponent: it stores 1e300 as 301 digits."""
    if isinstance(value, float):
        return abs(math.frexp(value)[1]) * 3 // 10
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return 0
    return sum(_exponent_digits(member) for member in value)


def _bounded(metadata: dict[str, Any]) -> dict[str, Any]:
    if len(json.dumps(metadata).encode()) + _exponent_digits(metadata) > METADATA_BYTES_MAX:
        raise ValueError(f"must be at most {METADATA_BYTES_MAX} bytes of JSON")
    return metadata


def _read_digits(value: Any) -> Any:
    if isinstance(value, str):
        if not (value.isascii() and value.isdigit() and len(value) <= 9):  # noqa: PLR2004 - any bound below 2^31 does
            raise ValueError("must be a whole number")
        return int(value)
    return value


def _user_id(text: str) -> str:
    if not is_user_id(text):
        raise ValueError("must be a user id: not blank, without a slash, not . or ..")
    return text


def _is_none(value: object) -> bool:
    return value is None


# A named type alias becomes one schema of that name; otherwise each member would have a schema of its own.
JsonObject = TypeAliasType("JsonObject", dict[str, Any])

UNSENT: Final[Any] = Field(exclude_if=_is_none)
"""Marks a member that is left out of the JSON, instead of null, if it has no value."""

ExactInstant = Annotated[datetime, AfterValidator(check_instant), Field(strict=False)]
"""A moment in a query: it keeps its microseconds in the link to the next page."""

Instant = Annotated[
    datetime,
    AfterValidator(check_instant),
    PlainSerializer(instant, return_type=str, when_used="json"),
    Field(strict=False),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Day = Annotated[date, AfterValidator(check_day), Field(strict=False)]
Amount = Annotated[int, Field(ge=1, le=AMOUNT_MAX)]
CLEANED: Final = AfterValidator(clean_text)
"""Marks a free text: what cannot be stored or shown in it is cleaned, and never refused."""

VISIBLE: Final = AfterValidator(check_id)
"""Marks an id, a key or a reference: refused unless every character is visible."""

AppId = Annotated[str, StringConstraints(min_length=1, max_length=64), VISIBLE]
Description = Annotated[str, StringConstraints(min_length=1, max_length=500), CLEANED]
UserIdText = Annotated[
    str,
    StringConstraints(min_length=1, max_length=USER_ID_MAX),
    VISIBLE,
    AfterValidator(_user_id),
    Field(json_schema_extra={"pattern": "^[^/]+$"}),
]
Metadata = Annotated[JsonObject, AfterValidator(clean_document), AfterValidator(_bounded)]
KeyText = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,255}$")]


class ListQuery(Model):
    """Which part of a list to read.

    `cursor` comes from the `Link` header of the page before. The next page begins after it, whatever was added since.
    """

    limit: Annotated[int, Field(ge=1, le=100), BeforeValidator(_read_digits)] = 50
    offset: Annotated[int, Field(ge=0, le=1_000_000), BeforeValidator(_read_digits)] = 0
    cursor: Annotated[str, StringConstraints(max_length=200)] | None = None


class FieldError(Model):
    """What is wrong with a member of the body or query."""

    field: str
    message: str


class Problem(Model):
    """A refusal or an error (RFC 9457), with the members that older clients read. `jobId`: of the job that met it."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str
    status_code: int
    message: str
    details: Annotated[JsonObject | SkipJsonSchema[None], UNSENT] = None
    errors: Annotated[list[FieldError] | SkipJsonSchema[None], UNSENT] = None
    job_id: Annotated[UUID | SkipJsonSchema[None], UNSENT] = None


class Shortage(Model):
    """What was asked for and what there is, in credits."""

    required: int
    available: int


class InsufficientCreditsProblem(Problem):
    """The balance does not cover the amount."""

    code: Literal["insufficient_credits"]
    details: Shortage  # type: ignore[assignment] # an object with these members


class Accepted(Model):
    """The act is recorded and will be done; ask at `statusUrl`. A purchase has its `purchaseId` already."""

    job_id: UUID
    status: Literal["pending"]
    status_url: str
    purchase_id: Annotated[UUID | SkipJsonSchema[None], UNSENT] = None
