"""Where a request comes from: an address that is read, checked and written in one way only, and its network.

Limits count by network. An attacker who could write one address in many ways, or has many addresses, would otherwise
have as many counts.
"""

from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final

IPV4_BITS: Final = 32
IPV6_BITS: Final = 48
"""Providers give a customer a /48 to /64 of IPv6 for the asking: a /48 is what one person can have in many places.
Where a provider puts many customers into one, they share a count, as they do behind one address of IPv4."""

TEXT_MAX: Final = 100
UNKNOWN: Final = "unknown"
_TRANSLATED: Final = IPv6Network("64:ff9b::/96")
"""IPv4 as translators write it in IPv6 (RFC 6052)."""

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


def read_address(text: str) -> IPv4Address | IPv6Address | None:
    """Read an address as proxies write it: perhaps with a port, in brackets or with a zone; `None` if it is none.

    IPv4 that is written in IPv6 is returned as IPv4.
    """
    host = text.strip()
    if len(host) > TEXT_MAX:
        return None
    if host.startswith("["):
        host, bracket, port = host[1:].partition("]")
        is_address = bracket and ":" in host and _is_port(port)
    elif host.count(":") == 1:
        host, _, port = host.partition(":")
        is_address = _is_port(f":{port}")
    else:
        is_address = True
    try:
        address = ip_address(host.partition("%")[0] if ":" in host else host)
    except ValueError:
        return None
    return _plain(address) if is_address else None


def network_of(address: str) -> str:
    """Return the network by which requests from an address are counted; those without an address are one."""
    read = read_address(address)
    if read is None:
        return UNKNOWN
    bits = IPV4_BITS if isinstance(read, IPv4Address) else IPV6_BITS
    return str(ip_network((read, bits), strict=False))


class ClientAddress:
    """Sets `REMOTE_ADDR` to the client's address, for everything behind it.

    Args:
        application: The WSGI application.
        hops: How many proxies in front of us append to `X-Forwarded-For`. The client writes what stands before theirs.
    """

    def __init__(self, application: Application, *, hops: int) -> None:
        self._application = application
        self._hops = hops

    def __call__(self, facts: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Handle a request."""
        facts["REMOTE_ADDR"] = client_address(
            facts.get("REMOTE_ADDR") or "", facts.get("HTTP_X_FORWARDED_FOR", ""), hops=self._hops
        )
        return self._application(facts, start_response)


def client_address(peer: str, forwarded: str, *, hops: int) -> str:
    """Return the address of the client: what the outermost trusted proxy saw; if that is unreadable, the peer's own.

    Args:
        peer: The other end of the connection.
        forwarded: `X-Forwarded-For`. It is split at commas only: a quote that a client opens would hide a comma.
    """
    entries = forwarded.split(",")
    client = read_address(entries[-hops]) if 0 < hops <= len(entries) else None
    address = client or read_address(peer)
    return UNKNOWN if address is None else str(address)


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(address, IPv4Address):
        return address
    if address in _TRANSLATED:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address


def _is_port(tail: str) -> bool:
    """Tell whether a tail is empty or a port."""
    return not tail or (tail[0] == ":" and tail[1:].isascii() and tail[1:].isdigit())
