"""Addresses of clients: one way to write each, and one network to count it by."""

import pytest

from web.http.addresses import client_address, network_of, read_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        *((text, "203.0.113.2") for text in ("203.0.113.2", " 203.0.113.2 ", "203.0.113.2:5", "203.0.113.2:65535")),
        *((text, "203.0.113.2") for text in ("::ffff:203.0.113.2", "[::FFFF:cb00:7102]:80", "64:ff9b::203.0.113.2")),
        *((text, "2001:db8::1") for text in ("2001:db8::1", "2001:DB8:0:0::0001", "[2001:db8::1]:8443")),
        *((text, "fe80::1") for text in ("fe80::1%eth0", "fe80::1%1", "[fe80::1%25eth0]:80")),
        *((text, None) for text in ("", "unknown", "_hidden", "203.0.113", "203.0.113.256", "1.2.3.4:x")),
        *(
            (text, None)
            for text in ("0203.0.113.2", "203.0.113.2%a", "[203.0.113.2]", "[2001:db8::1", "[::1]80", "::1]")
        ),
        *((text, None) for text in ('"203.0.113.2"', "1.2.3.4\x00", "2001:db8::1::", "x" * 10_000, "1.2.3.4:²")),
    ],
)
def test_an_address_is_read_in_one_way_or_not_at_all(text: str, address: str | None) -> None:
    assert (None if read_address(text) is None else str(read_address(text))) == address


@pytest.mark.parametrize(
    ("forwarded", "hops", "address"),
    [
        ("", 0, "192.0.2.1"),
        ("203.0.113.2", 0, "192.0.2.1"),
        ("203.0.113.2:4711", 1, "203.0.113.2"),
        ("198.51.100.1, 203.0.113.2", 1, "203.0.113.2"),
        ("198.51.100.1, 203.0.113.2", 2, "198.51.100.1"),
        ("203.0.113.2", 2, "192.0.2.1"),
        ("garbage", 1, "192.0.2.1"),
        ("", 1, "192.0.2.1"),
        ("203.0.113.2,", 1, "192.0.2.1"),
        ('"a, 203.0.113.2', 1, "203.0.113.2"),
        ('"a\\", 203.0.113.2', 1, "203.0.113.2"),
    ],
)
def test_the_client_is_what_the_outermost_trusted_proxy_saw(forwarded: str, hops: int, address: str) -> None:
    assert client_address("::ffff:192.0.2.1", forwarded, hops=hops) == address


def test_a_peer_without_an_address_is_one_client() -> None:
    assert {client_address(peer, "x", hops=1) for peer in ("", "unix:", "@")} == {"unknown"}


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.2", "203.0.113.2/32"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("2001:db8:1:ffff::", "2001:db8:1::/48"),
        ("2001:db8:2::1", "2001:db8:2::/48"),
        ("2002:cb00:7102:5::1", "2002:cb00:7102::/48"),
        ("unknown", "unknown"),
        ("", "unknown"),
    ],
)
def test_the_network_is_as_wide_as_what_somebody_has(address: str, network: str) -> None:
    assert network_of(address) == network
