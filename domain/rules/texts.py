"""Texts from outside: decided here, once for each kind, what is cleaned and what is refused.

| kind | what it is | rule |
|---|---|---|
| free text | description, message, reason, strings in metadata | `clean_text`: cleaned, never refused |
| name | a person's or a package's name | `clean_name`: cleaned, and in one line |
| id | ids of users and apps, keys, references, operations | `check_id`: refused unless every character is visible |
| search | what an operator looks for | `check_storable`: refused if no stored text can contain it |
| pasted | gift codes, e-mail addresses | `without_invisible`: what nobody sees is ignored |

An act that moves credits is never refused for its description: half an emoji, which a client cut in two, becomes
U+FFFD. An id is never changed: two ids must not become the same.
"""

import re
import unicodedata
from collections.abc import Callable
from functools import partial
from typing import Any, Final

REPLACEMENT: Final = "\ufffd"
"""Stands where a character was that cannot be stored or shown."""

_LINE_ENDS: Final = re.compile("\r\n?|[\x0b\x0c\x85]")
_DIRECTIONS: Final = re.compile("[\u202a-\u202e\u2066-\u206f\ufff9-\ufffb]")
"""Embeddings, overrides and isolates (UAX #9) turn the text after them around; the others are deprecated or marks of
annotations. The marks LRM, RLM and ALM stay: they do not reach beyond their place."""

_CONTROLS: Final = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_VARIATIONS: Final = re.compile("[\u034f\u180b-\u180d\ufe00-\ufe0f]")
"""Marks that choose the form of the character before them, and draw nothing themselves."""


class BadText(ValueError):
    """The text has a character that is not allowed in a text of its kind."""


def clean_text(text: str) -> str:
    """Clean a free text: line ends become LF, marks of direction go, other control characters become U+FFFD."""
    if text.isprintable():
        return text
    cleaned = _DIRECTIONS.sub("", _LINE_ENDS.sub("\n", text))
    return _CONTROLS.sub(REPLACEMENT, cleaned) or REPLACEMENT


def clean_name(text: str) -> str:
    """Clean a name, as `clean_text`, and write it in one line."""
    return " ".join(clean_text(text).split())


def clean_document(value: Any) -> Any:
    """Clean every text in a JSON value, the names of members too."""
    return _with_texts(value, clean_text)


def with_whole_characters(value: Any) -> Any:
    """Replace each half of a surrogate pair in the texts of a JSON value, and nothing else."""
    return _with_texts(value, partial(_SURROGATES.sub, REPLACEMENT))


def check_id(text: str) -> str:
    """Make sure that an id, key or reference has only visible characters and spaces, and return it.

    Raises:
        BadText: it has control, invisible or replaced characters, or nothing but spaces.
    """
    is_plain = text.isprintable() and REPLACEMENT not in text
    if not is_plain and any(_is_invisible(character) for character in text):
        raise BadText("must have no control characters and no invisible characters")
    if text.isspace():
        raise BadText("must not be blank")
    return text


def check_storable(text: str) -> str:
    """Make sure that a stored text may contain this one, and return it.

    Raises:
        BadText: it has NUL or half a surrogate pair.
    """
    if _UNSTORABLE.search(text):
        raise BadText("must have no NUL and no half of a surrogate pair")
    return text


def without_invisible(text: str) -> str:
    """Remove what nobody sees in a pasted text: zero-width characters, soft hyphens, marks of direction."""
    return "".join(character for character in _VARIATIONS.sub("", text) if unicodedata.category(character) != "Cf")


def _with_texts(value: Any, clean: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(name): _with_texts(member, clean) for name, member in value.items()}
    return [_with_texts(item, clean) for item in value] if isinstance(value, list) else value


def _is_invisible(character: str) -> bool:
    return character == REPLACEMENT or unicodedata.category(character) in _INVISIBLE
