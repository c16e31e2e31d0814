"""`expand[]`: replaces ids in a response by their objects.

Source: https://docs.stripe.com/expand.
"""

from local.stripe import checkout, errors
from local.stripe.call import Call
from local.stripe.documents import Document, list_object

_DEPTH_MAX = 4


def expand(call: Call, answer: Document, paths: list[str]) -> Document:
    """Return the response with each path (such as `latest_charge` or `data.customer`) expanded.

    Raises:
        ApiError: a path has too many levels, or it names a member that cannot be expanded.
    """
    for path in paths:
        steps = path.split(".")
        if len(steps) > _DEPTH_MAX:
            raise errors.invalid_request(f"You cannot expand more than {_DEPTH_MAX} levels.", param="expand")
        answer = _expand(call, answer, steps, path=path)
    return answer


def _expand(call: Call, document: Document, steps: list[str], *, path: str) -> Document:
    step, rest = steps[0], steps[1:]
    value = _member(call, document, step)
    if value is None and step not in document:
        raise errors.invalid_request(f"This property cannot be expanded ({path}).", param="expand")
    if isinstance(value, str):
        value = call.state.get_any(value)
        if value is None:
            raise errors.invalid_request(f"This property cannot be expanded ({path}).", param="expand")
    if rest and isinstance(value, list):
        value = [_expand(call, member, rest, path=path) for member in value]
    elif rest and isinstance(value, dict):
        value = _expand(call, value, rest, path=path)
    return document | {step: value}


def _member(call: Call, document: Document, step: str) -> object:
    """Return a member, or one of the lists that an object contains only if they are expanded."""
    if document.get("object") == "checkout.session" and step == "line_items":
        return checkout.list_line_items(call, document)
    if document.get("object") == "charge" and step == "refunds":
        refunds = call.state.find_by("refund", "charge", document["id"])
        return list_object(refunds, url=f"/v1/charges/{document['id']}/refunds")
    return document.get(step)
