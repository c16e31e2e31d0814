"""The local Stripe as a process, and a webhook endpoint that receives its events."""

import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import stripe

from local.calls import Reply
from local.ports import free_port

ROOT = Path(__file__).parents[2]
SECRET = "whsec_local"
API_KEY = "sk_test_local"
START_S = 15.0
FORM_HEADERS = {"Content-Type": "application/x-www-form-urlencoded"}


def wait_until(condition: Callable[[], bool], *, seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not true within {seconds:g} s"
        time.sleep(0.02)


class Receiver:
    """A webhook endpoint that keeps the events it gets; `answers` are the statuses of its next responses, else 200."""

    def __init__(self) -> None:
        self.payloads: list[tuple[str, str]] = []
        self.answers: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                status = receiver.answers.pop(0) if receiver.answers else 200
                receiver.payloads.append((body, self.headers["Stripe-Signature"]))
                self.send_response(status)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/webhooks/stripe"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body, _ in list(self.payloads)]

    def types(self) -> list[str]:
        return [event["type"] for event in self.events()]

    def forget(self) -> None:
        self.payloads.clear()
        self.answers.clear()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class LocalStripe:
    """The simulator's process, calls of its API and its control API, and a client of stripe-python for it."""

    def __init__(self, directory: Path, *, webhook_url: str = "") -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = [sys.executable, "-m", "local.stripe", "--port", str(self.port)]
        self._command += ["--webhook-url", webhook_url, "--webhook-secret", SECRET]
        self._command += ["--state", str(directory / "stripe.sqlite3")]
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, cwd=ROOT)
        wait_until(self._is_ready, seconds=START_S)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        self._process.terminate()
        return self._process.wait(10)

    def client(self, **options: Any) -> stripe.StripeClient:
        options.setdefault("max_network_retries", 0)
        http_client = stripe.RequestsClient(timeout=5)
        return stripe.StripeClient(
            options.pop("api_key", API_KEY), base_addresses={"api": self.url}, http_client=http_client, **options
        )

    def control(self, method: str, path: str, /, **body: Any) -> Any:
        reply = self.http(
            method, f"/_control{path}", body=json.dumps(body), headers={"Content-Type": "application/json"}
        )
        assert reply.status == 200, reply.text
        return reply.json()

    def api(self, method: str, path: str, /, *, key: str | None = None, **fields: str) -> Reply:
        headers = {"Authorization": f"Bearer {API_KEY}", **FORM_HEADERS}
        headers |= {"Idempotency-Key": key} if key else {}
        return self.http(method, path, body=urlencode(fields), headers=headers)

    def form(self, url: str, **fields: str) -> Reply:
        return self.http("POST", urlsplit(url).path, body=urlencode(fields), headers=FORM_HEADERS)

    def page(self, url: str) -> Reply:
        return self.http("GET", urlsplit(url).path)

    def http(self, method: str, path: str, *, body: str = "", headers: dict[str, str] | None = None) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Reply(status=response.status, headers=response.headers, text=response.read().decode())
        finally:
            connection.close()

    def _is_ready(self) -> bool:
        assert self._process.poll() is None, "the local Stripe ended"
        try:
            return self.http("GET", "/_control/health").status == 200
        except OSError:
            return False
