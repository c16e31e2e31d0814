"""The OpenAPI 3.1 document, read off the endpoints: what is served is what is checked."""

import re
from collections.abc import Iterable, Sequence
from inspect import getdoc
from typing import Any, Final, get_args

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from web.http.api import Api, Endpoint
from web.http.models import Problem
from web.http.problems import HTTP_STATUSES

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
_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key brings the first answer again, marked `Idempotency-Replayed: true`.",
    "schema": {"type": "string", "pattern": '^("[\\x21-\\x7e]{1,255}"|[\\x21-\\x7e]{1,255})$'},
}
_PREFER: Final = {
    "name": "Prefer",
    "in": "header",
    "description": "`respond-async`, or `wait=N` with at most 10 seconds (RFC 7240).",
    "schema": {"type": "string"},
}


class Accepted(BaseModel):
    """The act is recorded and will be done; ask at `statusUrl`."""

    jobId: str  # noqa: N815 - as it is sent
    status: str
    statusUrl: str  # noqa: N815
    purchaseId: str | None = None  # noqa: N815


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
    wanted: Any = [*bodies, *answers, (Problem, "serialization"), (Accepted, "serialization")]
    _, schemas = models_json_schema(list(dict.fromkeys(wanted)), ref_template=_REF)
    for endpoint in endpoints:
        if endpoint.query is not None:
            schemas["$defs"].update(_schema(endpoint.query).get("$defs", {}))
    return dict(sorted(schemas["$defs"].items()))


def _operation(api: Api, endpoint: Endpoint) -> dict[str, Any]:
    summary, _, description = (getdoc(endpoint.view) or "").partition("\n")
    operation: dict[str, Any] = {
        "operationId": f"{api.name}_{endpoint.view.__name__}",
        "tags": [api.name],
        "summary": summary.strip(),
        "parameters": _parameters(endpoint),
        "security": [{scheme: []} for scheme in _SCHEMES[endpoint.guard.name]],
        "responses": _responses(endpoint),
    }
    if description.strip():
        operation["description"] = description.strip()
    if endpoint.body is not None:
        operation["requestBody"] = {
            "required": not endpoint.body_optional,
            "content": {"application/json": {"schema": _reference(endpoint.body)}},
        }
    return operation


def _parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    parameters = [_path_parameter(kind, name) for kind, name in _PATH_PARAMETER.findall(endpoint.path)]
    if endpoint.query is not None:
        schema = _schema(endpoint.query)
        required = schema.get("required", [])
        for name, property_schema in schema["properties"].items():
            parameters.append({"name": name, "in": "query", "required": name in required, "schema": property_schema})
    return parameters + ([_KEY] if endpoint.keyed else []) + ([_PREFER] if endpoint.queued else [])


def _schema(query: type[BaseModel]) -> dict[str, Any]:
    return TypeAdapter(query).json_schema(ref_template=_REF)


def _path_parameter(kind: str, name: str) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    if kind == "uuid":
        schema["format"] = "uuid"
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _responses(endpoint: Endpoint) -> dict[str, Any]:
    responses = {str(endpoint.status): _answer(endpoint.answers, "Done")}
    if endpoint.queued:
        responses["202"] = _answer(Accepted, "Recorded, not done yet")
    refused = {HTTP_STATUSES[refusal.code] for refusal in endpoint.refusals}
    if endpoint.body is not None or endpoint.query is not None:
        refused |= {400}
    if endpoint.body is not None:
        refused |= {413, 415}
    if endpoint.guard.name is not None:
        refused |= {400} if endpoint.guard.name == "stripeSignature" else {401}
    if endpoint.guard.name == "admin":
        refused |= {403}
    for status in sorted(refused | {503}):
        content = {"application/problem+json": {"schema": _reference(Problem)}}
        responses[str(status)] = {"description": "Refused", "content": content}
    return responses


def _answer(model: Any, description: str) -> dict[str, Any]:
    item = _item(model)
    schema = _reference(item) if item is model else {"type": "array", "items": _reference(item)}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _item(model: Any) -> Any:
    return next(iter(get_args(model)), model)


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=model.__name__)}
