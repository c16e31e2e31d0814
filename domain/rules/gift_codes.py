"""Gift codes: 15 random characters of Crockford's base32 and one that checks them, shown 4-4-4-4.

The alphabet has neither I, L, O nor U (https://www.crockford.com/base32.html); a person may type I or L for 1 and O
for 0. 15 characters are 75 random bits. Codes of six characters were given out by an earlier service: they have no
check character, and are still redeemed.
"""

import re
import unicodedata
from typing import Final

from domain.rules.texts import without_invisible

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
RANDOM_LENGTH: Final = 15
TYPED_MAX: Final = 100
"""The longest text that is read as a code, in characters, dashes, spaces and invisible ones included."""

_GROUP: Final = 4
_FIELD_POLYNOMIAL: Final = 0b100101
_LEGACY: Final = re.compile(r"[0-9A-HJKMNP-Z]{6}")
_SEPARATORS: Final = re.compile(r"[\s\-\u2010-\u2015\u2212]+")
_ALIKE: Final = str.maketrans({"O": "0", "I": "1", "L": "1"})


def with_check(random_part: str) -> str:
    """Append the check character to `RANDOM_LENGTH` characters of `ALPHABET`."""
    return random_part + ALPHABET[_times_two(_checksum(random_part))]


def parse_code(typed: str) -> str | None:
    """Read a code as a person typed or pasted it: any case, spaces and dashes anywhere, O for 0, I or L for 1.

    Full-width characters count as the plain ones (NFKC), and invisible ones are ignored.

    Returns:
        The code as it is stored, or `None` if the text cannot be a code.
    """
    if len(typed) > TYPED_MAX:
        return None
    plain = without_invisible(unicodedata.normalize("NFKC", typed))
    code = _SEPARATORS.sub("", plain).upper().translate(_ALIKE)
    if _LEGACY.fullmatch(code):
        return code
    is_ours = len(code) == RANDOM_LENGTH + 1 and all(character in ALPHABET for character in code)
    return code if is_ours and _checksum(code) == 0 else None


def is_unguessable(typed: str) -> bool:
    """Tell whether a text can be a code of 75 random bits; a legacy code of six characters is not."""
    code = parse_code(typed)
    return code is not None and len(code) == RANDOM_LENGTH + 1


def shown(code: str) -> str:
    """Write a stored code as people see it: in groups of four; a legacy one in one piece."""
    if len(code) != RANDOM_LENGTH + 1:
        return code
    return "-".join(code[start : start + _GROUP] for start in range(0, len(code), _GROUP))


def _checksum(characters: str) -> int:
    """Read the characters as a polynomial over GF(32), its value at 2; that of a whole code is 0.

    One wrong character, or two exchanged, wherever they stand, always change it: the powers of 2 differ.
    """
    value = 0
    for character in characters:
        value = _times_two(value) ^ ALPHABET.index(character)
    return value


def _times_two(value: int) -> int:
    doubled = value << 1
    return doubled ^ _FIELD_POLYNOMIAL if doubled >= len(ALPHABET) else doubled
