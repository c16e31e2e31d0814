"""Answers of other machines: each has a limit for the whole of it, and a largest size."""

import gzip
from typing import Final

import pytest

from gateways.errors import RetryableError
from gateways.http import HttpClient, Unanswered
from gateways.notifier import Notifier
from gateways.stripe.client import connect
from gateways.stripe.reader import Stream, StripeReader
from tests.support.sick_server import OK, Behaviour, answers, body, drips, sick_server
from tests.support.users import ANNA

LIMIT_S: Final = 0.4
DRIPS: Final = {
    "the status line": drips(b"HTTP/1.1 "),
    "a header": drips(b"HTTP/1.1 200 OK\r\nX-Slow: "),
    "a body with a length": drips(OK + b"Content-Length: 1000000\r\n\r\n{"),
    "a body without end": drips(OK + b"Connection: close\r\n\r\n{"),
    "a chunk": drips(OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1000000\r\n"),
    "headers before the answer": drips(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 "),
}
SICK: Final = {
    "nothing": answers(b""),
    "not HTTP": answers(b"\x00\x01garbage\r\n\r\n"),
    "cut off": answers(OK + b"Content-Length: 100\r\n\r\n{}"),
    "chunks cut off": answers(OK + b"Transfer-Encoding: chunked\r\n\r\nff\r\n{}"),
    "a malformed length": answers(OK + b"Content-Length: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
    "no gzip": answers(OK + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"),
    "huge": answers(body(b" " * 2_000)),
    "huge when unpacked": answers(
        OK + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n" + gzip.compress(b" " * 1_000_000)
    ),
}


@pytest.mark.parametrize("behaviour", DRIPS.values(), ids=DRIPS)
def test_an_answer_that_drips_ends_with_the_limit_for_the_whole(behaviour: Behaviour) -> None:
    with sick_server(behaviour) as server:
        client = HttpClient(limit_s=LIMIT_S)
        for _ in range(2):
            with pytest.raises(Unanswered):
                client.request("GET", server.url)


@pytest.mark.parametrize("behaviour", SICK.values(), ids=SICK)
def test_an_answer_that_is_none_is_told_from_one(behaviour: Behaviour) -> None:
    with sick_server(behaviour) as server, pytest.raises(Unanswered):
        HttpClient(limit_s=30, bytes_max=1_000).request("GET", server.url)


def test_a_good_answer_is_read_again_and_again_on_one_connection() -> None:
    with sick_server(lambda connection, _over: connection.sendall(body(b"{}"))) as server:
        client = HttpClient(limit_s=30)
        for _ in range(3):
            answer = client.request("POST", server.url, body="x")
            assert (answer.status, answer.body, answer.headers["content-type"]) == (200, b"{}", "application/json")


def test_a_redirect_is_followed_only_where_that_is_wanted() -> None:
    with sick_server(answers(body(b"{}"))) as target:
        moved = f"HTTP/1.1 302 Found\r\nLocation: {target.url}\r\nContent-Length: 0\r\n\r\n".encode()
        with sick_server(answers(moved)) as server:
            client = HttpClient(limit_s=30)
            assert client.request("GET", server.url).status == 302
            assert client.request("GET", server.url, follow=True).status == 200


@pytest.mark.parametrize("behaviour", DRIPS.values(), ids=DRIPS)
def test_a_notification_service_and_a_stripe_that_drip_are_tried_again(behaviour: Behaviour) -> None:
    with sick_server(behaviour) as server:
        with pytest.raises(RetryableError):
            Notifier(server.url, "secret", limit_s=LIMIT_S).send(ANNA, {}, key="job-1")
        reader = StripeReader(connect("sk_test_1", api_base=server.url, timeout_s=LIMIT_S))
        with pytest.raises(RetryableError):
            reader.fetch(Stream.INTENTS, "pi_1")
