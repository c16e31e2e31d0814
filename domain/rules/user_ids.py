"""User ids: which texts name a user, the same in tokens, bodies and paths."""

from domain.rules.texts import BadText, check_id
from domain.units import USER_ID_MAX

_STEPS = frozenset({".", ".."})
"""Browsers and proxies take these out of a path, also when they are written in percent signs."""


def is_user_id(text: str) -> bool:
    """Tell whether a text can be a user's id.

    It is an id as any other (`check_id`), has 1 to `USER_ID_MAX` characters, and can stand in a path as one segment:
    servers and proxies decode `%2F` before they look for segments, so an id with a slash would name another resource,
    or none.
    """
    try:
        check_id(text)
    except BadText:
        return False
    return 1 <= len(text) <= USER_ID_MAX and "/" not in text and text not in _STEPS
