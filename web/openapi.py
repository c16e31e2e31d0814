"""The OpenAPI 3.1 document, built from the endpoints, so that it describes what is served."""

import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from inspect import getdoc
from typing import Any, Final, get_args

from pydantic import BaseModel, TypeAdapter
from pydantic.alias_generators import to_camel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema

from web.http.answer import BASE, JSON
from web.http.api import Api, Endpoint
from web.http.models import Accepted, InsufficientCreditsProblem, Problem, UserIdText
from web.http.problems import HTTP_STATUSES, PROBLEM_JSON, BadRequest

VERSION: Final = "1"
_REF: Final = "#/components/schemas/{model}"
_PATH_PARAMETER: Final = re.compile(r"<(?:(\w+):)?(\w+)>")
_SECURITY: Final = {
    "user": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "EdDSA, audience `mana`"},
    "service": {"type": "apiKey", "in": "header", "name": "X-Service-Key"},
    "stripeSignature": {"type": "apiKey", "in": "header", "name": "Stripe-Signature"},
}
_SCHEMES: Final[dict[str | None, list[str]]] = {
    None: [],
    "user": ["user"],
    "admin": ["user"],
    "service": ["service"],
    "userOrService": ["user", "service"],
    "stripeSignature": ["stripeSignature"],
}
_UNAVAILABLE: Final = [(503, "database_unavailable"), (503, "busy")]
_UNAUTHORIZED: Final = [(401, "unauthorized")]
_BEARER: Final = [*_UNAUTHORIZED, (503, "not_ready")]
_GUARD_REFUSALS: Final[dict[str | None, list[tuple[int, str]]]] = {
    None: [],
    "user": _BEARER,
    "admin": [*_BEARER, (403, "forbidden")],
    "service": _UNAUTHORIZED,
    "userOrService": _BEARER,
    "stripeSignature": [(400, "invalid_signature"), (413, "body_too_large")],
}
_WITH_RETRY_AFTER: Final = {429, 503}
_KEY_HEADER: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key brings the first answer again, marked `Idempotency-Replayed: true`.",
    "schema": {"type": "string", "pattern": '^("[\\x21-\\x7e]{1,255}"|[\\x21-\\x7e]{1,255})$'},
}
_PREFER_HEADER: Final = {
    "name": "Prefer",
    "in": "header",
    "description": "`respond-async`, or `wait=N` with at most 10 seconds (RFC 7240).",
    "schema": {"type": "string"},
}
_HEADERS: Final[dict[str, dict[str, Any]]] = {
    "Idempotency-Replayed": {
        "description": "This is the answer of an earlier request with the same key.",
        "schema": {"type": "string", "const": "true"},
    },
    "Link": {
        "description": 'Where the next page is, if there may be one: `<…>; rel="next"` (RFC 8288).',
        "schema": {"type": "string"},
    },
    "Location": {"description": "Where the job can be followed.", "schema": {"type": "string"}},
    "Preference-Applied": {
        "description": "The preference that was honoured, if one was sent (RFC 7240).",
        "schema": {"type": "string"},
    },
    "Retry-After": {"description": "Seconds to wait before asking again.", "schema": {"type": "integer"}},
}


class _Schemas(GenerateJsonSchema):
    """Schemas in which every member of an answer is required, unless it is left out when empty."""

    def field_is_required(self, field: Any, total: bool) -> bool:  # noqa: FBT001 - the library's signature
        if self.mode == "serialization":
            return "serialization_exclude_if" not in field
        return super().field_is_required(field, total)

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - a member's name is title enough
        return False

    def default_schema(self, schema: Any) -> JsonSchemaValue:
        json_schema = super().default_schema(schema)
        if (
            json_schema.get("default", ...) is None
        ):  # a member that may be null may be left out: the default adds nothing
            del json_schema["default"]
        return json_schema


def build(apis: Iterable[Api]) -> dict[str, Any]:
    """Build the document of these groups of endpoints."""
    endpoints = [(api, endpoint) for api in apis for endpoint in api.endpoints]
    definitions = _definitions([endpoint for _, endpoint in endpoints])
    paths: dict[str, dict[str, Any]] = {}
    for api, endpoint in endpoints:
        path = _PATH_PARAMETER.sub(r"{\2}", f"{api.url_prefix or ''}{endpoint.path}")
        paths.setdefault(path, {})[endpoint.method.lower()] = _operation(api, endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "mana-credits",
            "version": VERSION,
            "description": "Prepaid credits of the Mana ecosystem. One credit is one euro cent.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": definitions, "securitySchemes": _SECURITY},
    }


def _definitions(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """Collect the schema of every body and answer, and of what the queries refer to, by name."""
    bodies = [(endpoint.body, "validation") for endpoint in endpoints if endpoint.body]
    answers = [(_item(endpoint.answers), "serialization") for endpoint in endpoints]
    other_answers = [(model, "serialization") for endpoint in endpoints for model in endpoint.also.values()]
    always = [(model, "serialization") for model in (Problem, InsufficientCreditsProblem, Accepted)]
    models: Any = [*bodies, *answers, *other_answers, *always]
    _, schemas = models_json_schema(list(dict.fromkeys(models)), ref_template=_REF, schema_generator=_Schemas)
    for endpoint in endpoints:
        if endpoint.query is not None:
            schemas["$defs"].update(_schema(endpoint.query).get("$defs", {}))
    return dict(sorted(schemas["$defs"].items()))


def _operation(api: Api, endpoint: Endpoint) -> dict[str, Any]:
    summary, _, description = (getdoc(endpoint.view) or "").partition("\n")
    operation: dict[str, Any] = {
        "operationId": to_camel(endpoint.view.__name__),
        "tags": [_tag(api, endpoint)],
        "summary": summary.strip(),
        "parameters": _parameters(endpoint),
        "security": [{scheme: []} for scheme in _SCHEMES[endpoint.guard.name]],
        "responses": _responses(api, endpoint),
    }
    if description.strip():
        operation["description"] = description.strip()
    if endpoint.body is not None:
        operation["requestBody"] = {
            "required": not endpoint.body_optional,
            "content": {"application/json": {"schema": _reference(endpoint.body)}},
        }
    return operation


def _tag(api: Api, endpoint: Endpoint) -> str:
    """Return the group that an endpoint belongs to: the first part of its path."""
    return f"{api.url_prefix}{endpoint.path}".removeprefix(BASE).split("/")[1] if api.url_prefix else "public"


def _parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    parameters = [_path_parameter(kind, name) for kind, name in _PATH_PARAMETER.findall(endpoint.path)]
    if endpoint.query is not None:
        schema = _schema(endpoint.query)
        required = schema.get("required", [])
        for name, member in schema["properties"].items():
            parameters.append({"name": name, "in": "query", "required": name in required, "schema": _not_null(member)})
    return parameters + ([_KEY_HEADER] if endpoint.keyed else []) + ([_PREFER_HEADER] if endpoint.queued else [])


def _schema(query: type[BaseModel]) -> dict[str, Any]:
    return TypeAdapter(query).json_schema(ref_template=_REF, schema_generator=_Schemas)


def _not_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Describe a member of a query: it is there or left out, but cannot be null."""
    options = [option for option in schema.get("anyOf", []) if option != {"type": "null"}]
    others = {name: value for name, value in schema.items() if name != "anyOf"}
    return {**others, **options[0]} if len(options) == 1 else schema


def _path_parameter(kind: str, name: str) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    if kind == "uuid":
        schema["format"] = "uuid"
    if kind == "user_id":
        schema = TypeAdapter(UserIdText).json_schema()
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _responses(api: Api, endpoint: Endpoint) -> dict[str, Any]:
    headers_done = ["Idempotency-Replayed"] if endpoint.keyed else []
    headers_done += ["Preference-Applied"] if endpoint.queued else []
    headers_done += ["Link"] if endpoint.query is not None and "cursor" in endpoint.query.model_fields else []
    responses = {str(endpoint.status): _answer(endpoint.answers, "Done", headers=headers_done)}
    if endpoint.queued:
        accepted = ["Location", "Preference-Applied", "Retry-After"]
        responses["202"] = _answer(Accepted, "Recorded, not done yet", headers=accepted)
    for status, codes in sorted(_refusals(api, endpoint).items()):
        model = InsufficientCreditsProblem if status == HTTPStatus.PAYMENT_REQUIRED else Problem
        headers = ["Retry-After"] if status in _WITH_RETRY_AFTER else []
        description = f"Refused: {', '.join(f'`{code}`' for code in codes)}"
        responses[str(status)] = _answer(model, description, headers=headers, media=PROBLEM_JSON)
    for status, other_model in endpoint.also.items():
        headers = ["Location", "Retry-After"] if status == HTTPStatus.ACCEPTED else ["Retry-After"]
        responses[str(status)] = _answer(other_model, HTTPStatus(status).phrase, headers=headers)
    return dict(sorted(responses.items()))


def _refusals(api: Api, endpoint: Endpoint) -> dict[int, list[str]]:
    """Collect the codes of all problems that an endpoint may answer, by status."""
    problems = [(HTTP_STATUSES[refusal.code], refusal.code) for refusal in endpoint.refusals]
    if endpoint.body is not None or endpoint.query is not None or endpoint.keyed:
        problems.append((400, BadRequest.code))
    if endpoint.body is not None:
        problems += [(413, "body_too_large"), (415, "unsupported_media_type")]
    if endpoint.queued:
        problems.append((503, "job_failed"))
    problems += _GUARD_REFUSALS[endpoint.guard.name]
    problems += _UNAVAILABLE if api.url_prefix else []
    return {status: [code for other, code in problems if other == status] for status, _ in problems}


def _answer(model: Any, description: str, *, headers: Sequence[str] = (), media: str = JSON) -> dict[str, Any]:
    item = _item(model)
    schema = _reference(item) if item is model else {"type": "array", "items": _reference(item)}
    answer: dict[str, Any] = {"description": description, "content": {media: {"schema": schema}}}
    if headers:
        answer["headers"] = {name: _HEADERS[name] for name in headers}
    return answer


def _item(model: Any) -> Any:
    return next(iter(get_args(model)), model)


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=model.__name__)}
