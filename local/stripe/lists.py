"""Lists: newest first, by cursor, with filters.

Source: https://docs.stripe.com/api/pagination.
"""

from collections.abc import Callable

from local.stripe import errors
from local.stripe.call import Call
from local.stripe.documents import Document
from local.stripe.parameters import Parameters

PAGE = frozenset({"created", "ending_before", "limit", "starting_after"})
_LIMIT_DEFAULT = 10
_LIMIT_MAX = 100
_TYPES_MAX = 20
_BOUNDS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}

Condition = tuple[str, list[str | int]]
"""A piece of SQL and its values."""


def filtered(kind: str, url: str, *names: str) -> Callable[[Call, Parameters], Document]:
    """Make the endpoint that lists a kind, filtered by members that equal a parameter of their name."""

    def act(call: Call, parameters: Parameters) -> Document:
        conditions: list[Condition] = [
            (f"json_extract(document, '$.{name}') = ?", [parameters.required_text(name)])
            for name in names
            if name in parameters.values
        ]
        return page(call, parameters, kind=kind, url=url, conditions=conditions)

    return act


def events(call: Call, parameters: Parameters) -> Document:
    """GET /v1/events: by `type` (may end in `*`), `types[]` and `delivery_success`."""
    conditions: list[Condition] = []
    types = parameters.texts("types")
    if len(types) > _TYPES_MAX:
        raise errors.invalid_request(f"You may list up to {_TYPES_MAX} types.", param="types")
    if types:
        marks = ", ".join("?" * len(types))
        conditions.append((f"json_extract(document, '$.type') IN ({marks})", [*types]))
    kind = parameters.text("type")
    if kind:
        conditions.append(("json_extract(document, '$.type') GLOB ?", [kind]))
    if "delivery_success" in parameters.values:
        undelivered = "EXISTS (SELECT 1 FROM deliveries WHERE event_id = objects.id AND state <> 'delivered')"
        conditions.append((f"NOT {undelivered}" if parameters.boolean("delivery_success") else undelivered, []))
    found = page(call, parameters, kind="event", url="/v1/events", conditions=conditions)
    return found | {"data": [with_pending(call, event) for event in found["data"]]}


def event(call: Call, _parameters: Parameters, identity: str) -> Document:
    """GET /v1/events/:id."""
    return with_pending(call, call.fetch("event", identity, param="id"))


def with_pending(call: Call, document: Document) -> Document:
    """Tell how many webhooks of an event have not been answered yet."""
    query = "SELECT count(*) FROM deliveries WHERE event_id = ? AND state = 'pending'"
    return document | {"pending_webhooks": min(1, call.state.rows(query, (document["id"],))[0][0])}


def page(call: Call, parameters: Parameters, *, kind: str, url: str, conditions: list[Condition]) -> Document:
    """Give one page of a kind.

    Args:
        call: The act it is part of.
        parameters: `limit` (1 to 100), one of `starting_after` and `ending_before`, `created`.
        kind: The `object` member of what is listed.
        url: The list's path.
        conditions: What the documents must meet besides.
    """
    limit = _limit(parameters)
    backward = parameters.text("ending_before") is not None
    conditions = [*conditions, *_created(parameters), *_cursor(call, parameters, kind)]
    where = " AND ".join(sql for sql, _ in conditions) or "true"
    values = [value for _, more in conditions for value in more]
    order = "ASC" if backward else "DESC"
    query = f"SELECT id FROM objects WHERE kind = ? AND {where} ORDER BY created {order}, seq {order} LIMIT ?"
    identities = [row[0] for row in call.state.rows(query, (kind, *values, limit + 1))]
    chosen = identities[:limit][::-1] if backward else identities[:limit]
    found = [document for identity in chosen if (document := call.state.get(kind, identity))]
    return {"object": "list", "data": found, "has_more": len(identities) > limit, "url": url}


def _limit(parameters: Parameters) -> int:
    limit = parameters.integer("limit")
    if limit is None:
        return _LIMIT_DEFAULT
    if not 1 <= limit <= _LIMIT_MAX:
        message = f"This value must be between 1 and {_LIMIT_MAX} (inclusive)."
        raise errors.invalid_request(message, param="limit", code="parameter_invalid_integer")
    return limit


def _cursor(call: Call, parameters: Parameters, kind: str) -> list[Condition]:
    conditions: list[Condition] = []
    for name, sign in (("starting_after", "<"), ("ending_before", ">")):
        identity = parameters.text(name)
        if identity is not None:
            call.fetch(kind, identity, param=name, status=400)
            sql = f"(created, seq) {sign} (SELECT created, seq FROM objects WHERE id = ?)"
            conditions.append((sql, [identity]))
    return conditions


def _created(parameters: Parameters) -> list[Condition]:
    value = parameters.values.get("created")
    if value is None:
        return []
    if not isinstance(value, dict):
        return [("created = ?", [parameters.integer("created") or 0])]
    bounds = parameters.group("created")
    bounds.check_names(known=_BOUNDS, simulated=_BOUNDS)
    return [(f"created {_BOUNDS[name]} ?", [bounds.integer(name) or 0]) for name in value]
