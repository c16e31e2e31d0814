"""`expand[]`: ids in an answer replaced by their objects.

Source: https://docs.stripe.com/expand.
"""

from local.stripe import errors
from local.stripe.call import Call
from local.stripe.documents import Document

_DEPTH_MAX = 4


def expand(call: Call, answer: Document, paths: list[str]) -> Document:
    """Give the answer with each path (such as `latest_charge` or `data.customer`) expanded.

    Raises:
        ApiError: a path is too deep or names nothing that can be expanded.
    """
    for path in paths:
        steps = path.split(".")
        if len(steps) > _DEPTH_MAX:
            raise errors.invalid_request(f"You cannot expand more than {_DEPTH_MAX} levels.", param="expand")
        answer = _expanded(call, answer, steps, path=path)
    return answer


def _expanded(call: Call, document: Document, steps: list[str], *, path: str) -> Document:
    step, rest = steps[0], steps[1:]
    value = _included(call, document, step)
    if value is None and step not in document:
        raise errors.invalid_request(f"This property cannot be expanded ({path}).", param="expand")
    if isinstance(value, str):
        value = call.state.any(value)
        if value is None:
            raise errors.invalid_request(f"This property cannot be expanded ({path}).", param="expand")
    if rest and isinstance(value, list):
        value = [_expanded(call, member, rest, path=path) for member in value]
    elif rest and isinstance(value, dict):
        value = _expanded(call, value, rest, path=path)
    return document | {step: value}


def _included(call: Call, document: Document, step: str) -> object:
    """Give a member, or a list that an object only shows when asked for it."""
    if document.get("object") == "checkout.session" and step == "line_items":
        lines = call.state.hidden(document["id"])["line_items"]
        url = f"/v1/checkout/sessions/{document['id']}/line_items"
        return {"object": "list", "data": lines, "has_more": False, "url": url}
    if document.get("object") == "charge" and step == "refunds":
        found = call.state.find("refund", "json_extract(document, '$.charge') = ?", (document["id"],))
        return {"object": "list", "data": found, "has_more": False, "url": f"/v1/charges/{document['id']}/refunds"}
    return document.get(step)
