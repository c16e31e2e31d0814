"""Lists of objects: newest first, in pages with a cursor, with filters.

Source: https://docs.stripe.com/api/pagination.
"""

from collections.abc import Callable

from local.stripe import errors
from local.stripe.call import Call
from local.stripe.documents import Document, list_object
from local.stripe.parameters import Parameters
from local.stripe.state import member_sql

PAGE = frozenset({"created", "ending_before", "limit", "starting_after"})
_LIMIT_DEFAULT = 10
_LIMIT_MAX = 100
_TYPES_MAX = 20
_BOUNDS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}

Condition = tuple[str, list[str | int]]
"""An SQL condition and its values."""


def filtered_list(kind: str, url: str, *names: str) -> Callable[[Call, Parameters], Document]:
    """Return the handler that lists the objects of a kind; a parameter of a member's name filters by that member."""

    def handler(call: Call, parameters: Parameters) -> Document:
        conditions: list[Condition] = [
            (f"{member_sql(name)} = ?", [parameters.required_text(name)]) for name in names if name in parameters.values
        ]
        return page(call, parameters, kind=kind, url=url, conditions=conditions)

    return handler


def events(call: Call, parameters: Parameters) -> Document:
    """GET /v1/events: filters are `type` (may end in `*`), `types[]` and `delivery_success`."""
    conditions: list[Condition] = []
    types = parameters.texts("types")
    if len(types) > _TYPES_MAX:
        raise errors.invalid_request(f"You may list up to {_TYPES_MAX} types.", param="types")
    if types:
        marks = ", ".join("?" * len(types))
        conditions.append((f"{member_sql('type')} IN ({marks})", [*types]))
    kind = parameters.text("type")
    if kind:
        conditions.append((f"{member_sql('type')} GLOB ?", [kind]))
    if "delivery_success" in parameters.values:
        undelivered = "EXISTS (SELECT 1 FROM deliveries WHERE event_id = objects.id AND state <> 'delivered')"
        conditions.append((f"NOT {undelivered}" if parameters.boolean("delivery_success") else undelivered, []))
    event_list = page(call, parameters, kind="event", url="/v1/events", conditions=conditions)
    return event_list | {"data": [add_pending_webhooks(call, event) for event in event_list["data"]]}


def event(call: Call, _parameters: Parameters, object_id: str) -> Document:
    """GET /v1/events/:id."""
    return add_pending_webhooks(call, call.fetch("event", object_id, param="id"))


def add_pending_webhooks(call: Call, event: Document) -> Document:
    """Return the event with `pending_webhooks`: 1 while a delivery of it waits for its answer, else 0."""
    query = "SELECT count(*) FROM deliveries WHERE event_id = ? AND state = 'pending'"
    return event | {"pending_webhooks": min(1, call.state.rows(query, (event["id"],))[0][0])}


def page(call: Call, parameters: Parameters, *, kind: str, url: str, conditions: list[Condition]) -> Document:
    """Return one page of the objects of a kind.

    Args:
        call: The call for which it is read.
        parameters: `limit` (1 to 100), `starting_after` or `ending_before`, `created`.
        kind: The member `object` of the listed objects.
        url: The list's path.
        conditions: Further conditions that the objects must meet.
    """
    limit = _limit(parameters)
    is_backward = parameters.text("ending_before") is not None
    conditions = [*conditions, *_created_conditions(parameters), *_cursor_conditions(call, parameters, kind)]
    where = " AND ".join(sql for sql, _ in conditions) or "true"
    values = [value for _, condition_values in conditions for value in condition_values]
    order = "ASC" if is_backward else "DESC"
    query = f"SELECT id FROM objects WHERE kind = ? AND {where} ORDER BY created {order}, seq {order} LIMIT ?"
    object_ids = [row[0] for row in call.state.rows(query, (kind, *values, limit + 1))]
    page_ids = object_ids[:limit][::-1] if is_backward else object_ids[:limit]
    documents = [document for object_id in page_ids if (document := call.state.get(kind, object_id))]
    return list_object(documents, url=url, has_more=len(object_ids) > limit)


def _limit(parameters: Parameters) -> int:
    limit = parameters.integer("limit")
    if limit is None:
        return _LIMIT_DEFAULT
    if not 1 <= limit <= _LIMIT_MAX:
        message = f"This value must be between 1 and {_LIMIT_MAX} (inclusive)."
        raise errors.invalid_request(message, param="limit", code="parameter_invalid_integer")
    return limit


def _cursor_conditions(call: Call, parameters: Parameters, kind: str) -> list[Condition]:
    conditions: list[Condition] = []
    for name, sign in (("starting_after", "<"), ("ending_before", ">")):
        object_id = parameters.text(name)
        if object_id is not None:
            call.fetch(kind, object_id, param=name, status=400)
            sql = f"(created, seq) {sign} (SELECT created, seq FROM objects WHERE id = ?)"
            conditions.append((sql, [object_id]))
    return conditions


def _created_conditions(parameters: Parameters) -> list[Condition]:
    value = parameters.values.get("created")
    if value is None:
        return []
    if not isinstance(value, dict):
        return [("created = ?", [parameters.integer("created") or 0])]
    bounds = parameters.group("created")
    bounds.check_names(known=_BOUNDS, simulated=_BOUNDS)
    return [(f"created {_BOUNDS[name]} ?", [bounds.integer(name) or 0]) for name in value]
