"""Webhooks: signed, parallel, repeated until answered.

Source: https://docs.stripe.com/webhooks.
"""

import http.client
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from stripe import WebhookSignature

from local.stripe.delivery_plan import DeliveryPlan
from local.stripe.state import State

_PARALLEL = 8
_ANSWER_TIMEOUT_S = 10.0
_IDLE_S = 0.25
_PAUSE_FIRST_S = 1.0
_PAUSE_MAX_S = 30.0
_DOUBLINGS_MAX = 10
_OK = range(200, 300)


class Deliverer:
    """Sends what the plan holds, in a thread of its own, to one endpoint."""

    def __init__(self, state: State, plan: DeliveryPlan, *, url: str, secret: str) -> None:
        self._state = state
        self._plan = plan
        self._url = urlsplit(url)
        self._secret = secret
        self._stopped = threading.Event()
        self._under_way: set[int] = set()
        self._pool = ThreadPoolExecutor(_PARALLEL, thread_name_prefix="webhook")
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """End after the deliveries under way."""
        self._stopped.set()
        self._plan.wake.set()
        self._thread.join()
        self._pool.shutdown(cancel_futures=True)

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._plan.wake.clear()
            for identity, event_id, attempts in self._due():
                self._under_way.add(identity)
                self._pool.submit(self._deliver, identity, event_id, attempts)
            # A step of waiting, for deliveries that become due by the clock; new events wake it at once.
            self._plan.wake.wait(_IDLE_S)

    def _due(self) -> list[tuple[int, str, int]]:
        if self._plan.behaviour.paused:
            return []
        query = (
            "SELECT id, event_id, attempts FROM deliveries WHERE state = 'pending' AND next_at <= ?"
            " ORDER BY next_at LIMIT 100"
        )
        return [row for row in self._state.rows(query, (time.time(),)) if row[0] not in self._under_way]

    def _deliver(self, identity: int, event_id: str, attempts: int) -> None:
        try:
            status = self._send(event_id)
            delivered = status in _OK
            pause = min(_PAUSE_FIRST_S * 2 ** min(attempts, _DOUBLINGS_MAX), _PAUSE_MAX_S)
            values = (attempts + 1, time.time() + pause, "delivered" if delivered else "pending", status, identity)
            update = "UPDATE deliveries SET attempts = ?, next_at = ?, state = ?, last_status = ? WHERE id = ?"
            self._state.rows(update, values)
        finally:
            self._under_way.discard(identity)

    def _send(self, event_id: str) -> int | None:
        """Send an event once and give the answer's status; `None` without an answer."""
        event = self._state.get("event", event_id)
        if event is None:
            return 200  # Forgotten by a reset meanwhile: nothing is left to send.
        payload = json.dumps(event, indent=2)
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": WebhookSignature.generate_signature_header(payload, self._secret),
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        }
        kind = http.client.HTTPSConnection if self._url.scheme == "https" else http.client.HTTPConnection
        connection = kind(self._url.netloc, timeout=_ANSWER_TIMEOUT_S)
        try:
            connection.request("POST", self._url.path or "/", payload.encode(), headers)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
