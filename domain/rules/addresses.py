"""E-mail addresses, as far as two of them have to be compared."""

import re
from typing import Final

import idna

ADDRESS_MAX: Final = 254
"""The longest address that mail can be sent to (RFC 5321, section 4.5.3.1.3)."""

_LOCAL_PART: Final = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LOCAL_PART_MAX: Final = 64


class BadAddress(ValueError):
    """The text is no e-mail address that we can compare."""


def comparable(address: str) -> str:
    """Write an address so that two of the same mailbox are equal: without case, the domain in IDNA (RFC 5891).

    The dot that may end a domain is left out: `a@b.de.` is `a@b.de`.

    Local parts are plain ASCII: look-alike letters must not pass for somebody else.

    Raises:
        BadAddress: it is not an address, or its local part is not ASCII.
    """
    if len(address) > ADDRESS_MAX:
        raise BadAddress("must be an e-mail address of at most 254 characters")
    local_part, at, domain = address.strip().rpartition("@")
    if not at or not local_part.isascii() or len(local_part) > _LOCAL_PART_MAX or not domain:
        raise BadAddress("must be an e-mail address with a plain local part")
    try:
        encoded = idna.encode(domain, uts46=True, std3_rules=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError):
        raise BadAddress("must be an e-mail address with a valid domain") from None
    encoded, local_part = encoded.removesuffix("."), local_part.lower()
    if "." not in encoded or encoded.rpartition(".")[2].isdigit():
        raise BadAddress("must be an e-mail address with a valid domain")
    if not _LOCAL_PART.fullmatch(local_part) or len(local_part) + len(encoded) >= ADDRESS_MAX:
        raise BadAddress("must be an e-mail address with a plain local part")
    return f"{local_part}@{encoded}"


def same_mailbox(first: str | None, second: str | None) -> bool:
    """Tell whether both are addresses, and of the same mailbox."""
    try:
        return first is not None and second is not None and comparable(first) == comparable(second)
    except BadAddress:
        return False
