"""The outside border of notices: what is posted, and which answers are tried again."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from gateways.errors import FinalError, RetryableError
from gateways.notifier import Notifier
from tests.support.users import ANNA


class Service(ThreadingHTTPServer):
    """A notification service that answers as it is told and keeps what it was sent."""

    status = 200
    got: list[tuple[str, dict[str, str], Any]]


@pytest.fixture
def service() -> Iterator[Service]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            running.got.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(running.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with Service(("127.0.0.1", 0), Handler) as running:
        running.got = []
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_a_notice_is_posted_with_the_service_key(service: Service) -> None:
    notifier = Notifier(f"http://127.0.0.1:{service.server_port}", "secret")

    notifier.send(ANNA, {"subject": "S", "body": "B", "data": {"x": 1}}, key="job-1")

    path, headers, body = service.got[0]
    assert path == "/api/v1/notifications/send"
    assert (headers["x-service-key"], headers["idempotency-key"]) == ("secret", "job-1")
    assert body == {
        "channel": "email",
        "appId": "sync",
        "userId": "anna",
        "subject": "S",
        "body": "B",
        "data": {"x": 1},
    }


@pytest.mark.parametrize(
    ("status", "error"), [(500, RetryableError), (429, RetryableError), (401, RetryableError), (400, FinalError)]
)
def test_an_answer_is_tried_again_unless_it_never_changes(
    service: Service, status: int, error: type[Exception]
) -> None:
    service.status = status

    with pytest.raises(error):
        Notifier(f"http://127.0.0.1:{service.server_port}", "secret").send(ANNA, {}, key="job-1")


def test_a_service_that_is_away_is_tried_again() -> None:
    with pytest.raises(RetryableError):
        Notifier("http://127.0.0.1:1", "secret").send(ANNA, {}, key="job-1")
