"""The base of every body, query and answer: camelCase outside, snake_case inside, nothing unknown, nothing coerced."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, StringConstraints
from pydantic.alias_generators import to_camel

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
    """Write a time as the contract wants it: UTC, milliseconds, `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def _small(metadata: dict[str, Any]) -> dict[str, Any]:
    if len(json.dumps(metadata).encode()) > METADATA_BYTES_MAX:
        raise ValueError(f"must be at most {METADATA_BYTES_MAX} bytes of JSON")
    return metadata


def _digits(value: Any) -> Any:
    if isinstance(value, str):
        if not (value.isascii() and value.isdigit() and len(value) <= 9):  # noqa: PLR2004 - any bound below 2^31 does
            raise ValueError("must be a whole number")
        return int(value)
    return value


Instant = Annotated[datetime, PlainSerializer(instant, return_type=str, when_used="json"), Field(strict=False)]
Amount = Annotated[int, Field(ge=1, le=AMOUNT_MAX)]
AppId = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Description = Annotated[str, StringConstraints(min_length=1, max_length=500)]
UserIdText = Annotated[str, StringConstraints(min_length=1, max_length=USER_ID_MAX)]
Metadata = Annotated[dict[str, Any], AfterValidator(_small)]
KeyText = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,255}$")]


class Page(Model):
    """How much of a list, from where.

    `cursor` comes from the `Link` header of the answer before, and goes on behind it however much was added meanwhile.
    """

    limit: Annotated[int, BeforeValidator(_digits), Field(ge=1, le=100)] = 50
    offset: Annotated[int, BeforeValidator(_digits), Field(ge=0, le=1_000_000)] = 0
    cursor: Annotated[str, StringConstraints(max_length=200)] | None = None


class Problem(Model):
    """A refusal or an error (RFC 9457), with the members that older clients read."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    status_code: int
    message: str
    details: dict[str, Any] | None = None
    errors: list[dict[str, str]] | None = None
