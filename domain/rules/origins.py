"""Web addresses in settings: origins exactly as browsers send them, and addresses of other machines.

A browser compares origins letter by letter (RFC 6454, section 6.2): scheme and host in lower case, an international
host in its ASCII form, a port only if it is not the scheme's own. An origin written in another way never matches.
"""

from ipaddress import IPv4Address, IPv6Address
from typing import Final
from urllib.parse import urlsplit

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
HOST_MAX: Final = 253
LABEL_MAX: Final = 63
PORT_MAX: Final = 65_535
_LABEL: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")


def is_origin(text: str) -> bool:
    """Tell whether a text is an origin as a browser sends it in `Origin`, such as `https://app.example`."""
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in DEFAULT_PORTS:
        return False
    if rest.startswith("["):
        host, bracket, tail = rest[1:].partition("]")
        return bool(bracket) and _is_ipv6(host) and _is_port(tail, scheme)
    host, colon, port = rest.partition(":")
    return _is_host(host) and _is_port(colon + port, scheme)


def is_address(text: str) -> bool:
    """Tell whether a text is the address of an HTTP service: scheme, host, perhaps a port and a path, nothing else."""
    if not text.isascii() or not text.isprintable() or any(character in text for character in " \\?#@"):
        return False
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    host = (parts.hostname or "").lower()
    is_host = _is_ipv6(host) if "[" in parts.netloc else _is_host(host)
    return parts.scheme in DEFAULT_PORTS and is_host and port != 0 and not parts.netloc.endswith(":")


def origin_of(address: str) -> str:
    """Return scheme, host and port of an address, as they are written in it."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def _is_host(host: str) -> bool:
    labels = host.split(".")
    if len(host) > HOST_MAX or not all(_is_label(label) for label in labels):
        return False
    return _is_ipv4(host) if labels[-1].isdigit() or labels[-1].startswith("0x") else True


def _is_label(label: str) -> bool:
    return (
        1 <= len(label) <= LABEL_MAX and set(label) <= _LABEL and not label.startswith("-") and not label.endswith("-")
    )


def _is_ipv4(host: str) -> bool:
    try:
        return str(IPv4Address(host)) == host
    except ValueError:
        return False


def _is_ipv6(host: str) -> bool:
    try:
        return str(IPv6Address(host)) == host and "%" not in host
    except ValueError:
        return False


def _is_port(tail: str, scheme: str) -> bool:
    """Tell whether a tail is empty, or a port that a browser would write."""
    port = tail.removeprefix(":")
    if not tail:
        return True
    is_number = tail != port and port.isascii() and port.isdigit() and len(port) <= len(str(PORT_MAX))
    return is_number and str(int(port)) == port and 0 < int(port) <= PORT_MAX and int(port) != DEFAULT_PORTS[scheme]
