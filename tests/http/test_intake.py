"""How the web server takes requests in: slow senders, bodies nobody reads, requests that a proxy reads otherwise."""

import http.client
import json
import socket
import time
from contextlib import ExitStack, closing
from typing import Final

import pytest

from tests.support.http import bearer
from tests.support.issuer import Issuer
from tests.support.web_server import Server, running_server
from web.http.intake import BODY_BYTES_MAX, BODY_S, THREADS, WEBHOOK_BYTES_MAX

SLOW_PATHS: Final = ["/ops/login", "/api/v1/webhooks/stripe", "/api/v1/credits/use"]


def connect(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=30)


def head(method: str, path: str, *headers: str) -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *headers, "", ""]).encode()


def answer_to(server: Server, raw: bytes) -> bytes:
    """Send bytes and read until the server closes; the request must ask it to."""
    with connect(server) as connection:
        connection.sendall(raw)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize("path", SLOW_PATHS)
def test_a_body_that_never_comes_is_answered_and_its_connection_closed(server: Server, path: str) -> None:
    began = time.monotonic()

    answer = answer_to(server, head("POST", path, "Content-Type: application/json", "Content-Length: 60000") + b"{}")

    assert time.monotonic() - began > BODY_S - 1
    assert status_of(answer) == 408
    assert b"request_timeout" in answer
    assert b"connection: close" in answer.lower()


def test_a_body_that_drips_has_one_deadline_for_all_of_it(server: Server) -> None:
    with connect(server) as connection:
        connection.sendall(head("POST", "/ops/login", "Content-Length: 1000"))
        connection.settimeout(1)
        answer = b""
        for _ in range(60):
            connection.sendall(b"x")
            try:
                answer = connection.recv(65_536)
                break
            except TimeoutError:
                continue

    assert status_of(answer) == 408


def test_slow_senders_keep_no_thread(server: Server) -> None:
    with ExitStack() as open_connections:
        for number in range(6 * THREADS):
            connection = open_connections.enter_context(connect(server))
            path = SLOW_PATHS[number % len(SLOW_PATHS)]
            connection.sendall(head("POST", path, "Content-Type: application/json", "Content-Length: 60000") + b"{")

        # One after the other, and all before the first body's deadline: that is no measure of speed.
        began = time.monotonic()
        statuses = [status_of(answer_to(server, head("GET", "/health", "Connection: close"))) for _ in range(20)]

    assert statuses == [200] * 20
    assert time.monotonic() - began < BODY_S


def test_senders_that_go_away_leave_nothing_behind(server: Server) -> None:
    for number in range(4 * THREADS):
        with connect(server) as connection:
            connection.sendall(head("POST", SLOW_PATHS[number % len(SLOW_PATHS)], "Content-Length: 60000") + b"{}")

    assert status_of(answer_to(server, head("GET", "/health", "Connection: close"))) == 200


def test_http2_is_not_spoken(server: Server) -> None:
    with connect(server) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
        answer = connection.recv(65_536)

    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")


@pytest.mark.parametrize("size", [BODY_BYTES_MAX, 200_000])
def test_a_connection_goes_on_or_is_closed_after_a_body_that_was_refused(server: Server, size: int) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)) as connection:
        for _ in range(50):
            connection.request("POST", "/api/v1/credits/use", b" " * size, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            if size > BODY_BYTES_MAX:
                assert (answer.status, answer.headers["Connection"]) == (413, "close")
            else:
                assert answer.status == 401


def test_a_body_may_be_as_large_as_its_bound_and_no_larger(server: Server) -> None:
    def status(path: str, size: int) -> int:
        return status_of(
            answer_to(server, head("POST", path, f"Content-Length: {size}", "Connection: close") + b" " * size)
        )

    assert status("/api/v1/webhooks/stripe", WEBHOOK_BYTES_MAX) == 400
    assert status("/api/v1/webhooks/stripe", WEBHOOK_BYTES_MAX + 1) == 413
    assert status("/api/v1/credits/use", BODY_BYTES_MAX) == 401
    assert status("/api/v1/credits/use", BODY_BYTES_MAX + 1) == 413


REPEATED: Final = [
    ("Idempotency-Key", "K", "K"),
    ("Idempotency-Key", "K", "k\u00e9"),
    ("X-Service-Key", "a", "a"),
    ("Content-Type", "application/json", "application/json"),
    ("Stripe-Signature", "t=1", "t=1"),
    ("Authorization", "Bearer a", "Bearer b"),
    ("X-App-Id", "chat", "notes"),
    ("HOST", "localhost", "other"),
]


@pytest.mark.parametrize(("name", "first", "second"), REPEATED)
def test_a_header_that_comes_once_is_refused_twice(server: Server, name: str, first: str, second: str) -> None:
    pair = [f"{name}: {first}", f"{name.lower()}: {second}"]

    answer = answer_to(
        server, head("POST", "/api/v1/credits/use", *pair, "Content-Length: 2", "Connection: close") + b"{}"
    )

    assert status_of(answer) == 400
    assert b"repeated" in answer


def test_a_repeated_key_charges_nobody(server: Server, issuer: Issuer) -> None:
    body = json.dumps({"amount": 1, "appId": "chat", "description": "x"}).encode()
    token = bearer(issuer, "repeats")["Authorization"]
    common = [f"Authorization: {token}", "Content-Type: application/json", f"Content-Length: {len(body)}"]

    answer = answer_to(
        server,
        head("POST", "/api/v1/credits/use", *common, "Idempotency-Key: K", "Idempotency-Key: K", "Connection: close")
        + body,
    )

    assert status_of(answer) == 400


@pytest.mark.parametrize(
    "path", ["//metrics", "//api/v1/internal/credits/balance/a", "/%2Fmetrics", "/api//v1/packages", "/api%2f/v1"]
)
def test_a_path_with_an_empty_segment_is_not_found(server: Server, path: str) -> None:
    assert status_of(answer_to(server, head("GET", path, "Connection: close"))) == 404


def test_a_header_with_an_underscore_does_not_count_as_the_one_with_a_dash(server: Server) -> None:
    answer = answer_to(server, head("GET", "/health", "X_Request_Id: mine", "Connection: close"))

    assert status_of(answer) == 200
    assert b"mine" not in answer


def test_a_key_that_is_not_ascii_is_refused_and_not_overlooked(server: Server, issuer: Issuer) -> None:
    body = json.dumps({"amount": 1, "appId": "chat", "description": "x"}).encode()
    token = bearer(issuer, "writes-accents")["Authorization"]
    headers = [f"Authorization: {token}", "Content-Type: application/json", f"Content-Length: {len(body)}"]

    answer = answer_to(
        server, head("POST", "/api/v1/credits/use", *headers, "Idempotency-Key: k\u00e9", "Connection: close") + body
    )

    assert status_of(answer) == 400
    assert b"Idempotency-Key" in answer


def test_silent_connections_end_where_few_files_may_be_opened(database_url: str, issuer: Issuer) -> None:
    with (
        running_server(database_url=database_url, auth_url=issuer.url, open_files=300) as server,
        ExitStack() as open_connections,
    ):
        for _ in range(400):
            open_connections.enter_context(connect(server))

        assert status_of(answer_to(server, head("GET", "/health", "Connection: close"))) == 200


def test_a_connection_that_stays_silent_is_closed(server: Server) -> None:
    with connect(server) as silent, connect(server) as between_requests:
        between_requests.sendall(head("GET", "/health"))
        assert status_of(between_requests.recv(65_536)) == 200

        assert (silent.recv(1), between_requests.recv(1)) == (b"", b"")
