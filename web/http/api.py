"""Endpoints: a view's signature is its contract, and the OpenAPI document is built from it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from inspect import signature
from types import MappingProxyType
from typing import Any, get_args

from flask import Blueprint, Response, request
from pydantic import BaseModel, TypeAdapter, ValidationError

from domain.errors import Refusal
from web.http.answer import BASE, JSON, Answer
from web.http.auth import Guard
from web.http.body import invalid, read_body

View = Callable[..., Any]


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One route, with what the OpenAPI document says about it.

    Attributes:
        body: Model of the request's body.
        query: Model of the query.
        answers: Model (or list of models) of the answer.
        also: Models of the answers with other statuses.
        refusals: What the domain may refuse here.
        keyed: Takes an `Idempotency-Key`.
        queued: A worker does it, and the answer may be 202.
    """

    method: str
    path: str
    view: View
    guard: Guard
    status: int
    answers: Any
    also: Mapping[int, type[BaseModel]]
    refusals: Sequence[type[Refusal]]
    body: type[BaseModel] | None
    body_optional: bool
    query: type[BaseModel] | None
    keyed: bool
    queued: bool


class Api(Blueprint):
    """A group of endpoints behind one guard."""

    def __init__(self, name: str, guard: Guard, *, prefix: str = BASE) -> None:
        super().__init__(name, __name__, url_prefix=prefix)
        self.guard = guard
        self.endpoints: list[Endpoint] = []
        self.before_request(self._check)

    def _check(self) -> None:
        # A browser sends a preflight without a token (Fetch standard, CORS-preflight fetch); no view answers it.
        if request.method != "OPTIONS":
            self.guard.check()

    def operation(
        self,
        method: str,
        path: str,
        *,
        answers: Any,
        status: int = 200,
        also: Mapping[int, type[BaseModel]] = MappingProxyType({}),
        refusals: Sequence[type[Refusal]] = (),
        keyed: bool = False,
        queued: bool = False,
    ) -> Callable[[View], View]:
        """Register a view.

        The view's parameters `body` and `query` are read as the models they are annotated with; the others come from
        the path. It returns a model, a list of models, or an `Answer`.
        """

        def register(view: View) -> View:
            parameters = signature(view).parameters
            body, body_optional = _model_of(parameters.get("body"))
            query, _ = _model_of(parameters.get("query"))
            endpoint = Endpoint(
                method=method,
                path=path,
                view=view,
                guard=self.guard,
                status=status,
                answers=answers,
                also=also,
                refusals=refusals,
                body=body,
                body_optional=body_optional,
                query=query,
                keyed=keyed,
                queued=queued,
            )
            self.endpoints.append(endpoint)
            self.add_url_rule(path, f"{method} {path}".replace(".", "_"), _caller(endpoint), methods=[method])
            return view

        return register


def _model_of(parameter: Any) -> tuple[type[BaseModel] | None, bool]:
    """Read the model a parameter is annotated with, and whether it may be left out (`Model | None`)."""
    if parameter is None:
        return None, False
    options = [option for option in get_args(parameter.annotation) if option is not type(None)]
    return (options[0], True) if options else (parameter.annotation, False)


def _caller(endpoint: Endpoint) -> Callable[..., Response]:
    """Build the function that Flask calls."""
    view, body, query, status = endpoint.view, endpoint.body, endpoint.query, endpoint.status

    def call(**arguments: Any) -> Response:
        if body is not None:
            arguments["body"] = read_body(body, optional=endpoint.body_optional)
        if query is not None:
            arguments["query"] = _read_query(query)
        return respond(view(**arguments), status)

    return call


def _read_query(model: type[BaseModel]) -> BaseModel:
    try:
        return model.model_validate(request.args.to_dict(), strict=False, extra="ignore", by_alias=True, by_name=False)
    except ValidationError as error:
        raise invalid(error, "query") from None


def respond(result: Any, status: int) -> Response:
    """Turn what a view returned into a response."""
    if isinstance(result, Response):
        return result
    if not isinstance(result, Answer):
        return Response(_json(result), status, mimetype=JSON)
    return Response(_json(result.body), result.status, dict(result.headers), mimetype=result.mimetype)


def _json(body: Any) -> str | bytes:
    if isinstance(body, BaseModel):
        return body.model_dump_json()
    return _any().dump_json(body)


@cache
def _any() -> TypeAdapter[Any]:
    return TypeAdapter(Any)
