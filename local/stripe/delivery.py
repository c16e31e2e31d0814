"""Webhooks: sends events, signed and in parallel, until the endpoint answers 2xx.

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
_RETRY_FIRST_S = 1.0
_RETRY_MAX_S = 30.0
_DOUBLINGS_MAX = 10
_OK = range(200, 300)


class Deliverer:
    """Sends the planned events to the endpoint, from its own thread."""

    def __init__(self, state: State, plan: DeliveryPlan, *, url: str, secret: str) -> None:
        self._state = state
        self._plan = plan
        self._url = urlsplit(url)
        self._secret = secret
        self._stopped = threading.Event()
        self._running: set[int] = set()
        self._pool = ThreadPoolExecutor(_PARALLEL, thread_name_prefix="webhook")
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread, after the deliveries that have begun."""
        self._stopped.set()
        self._plan.wake.set()
        self._thread.join()
        self._pool.shutdown(cancel_futures=True)

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._plan.wake.clear()
            for delivery_id, event_id, attempts in self._due():
                self._running.add(delivery_id)
                self._pool.submit(self._deliver, delivery_id, event_id, attempts)
            # New events end this wait; it is short because planned deliveries become due with time.
            self._plan.wake.wait(_IDLE_S)

    def _due(self) -> list[tuple[int, str, int]]:
        if self._plan.behaviour.paused:
            return []
        query = (
            "SELECT id, event_id, attempts FROM deliveries WHERE state = 'pending' AND next_at <= ?"
            " ORDER BY next_at LIMIT 100"
        )
        return [row for row in self._state.rows(query, (time.time(),)) if row[0] not in self._running]

    def _deliver(self, delivery_id: int, event_id: str, attempts: int) -> None:
        try:
            status = self._send(event_id)
            delivered = status in _OK
            retry_s = min(_RETRY_FIRST_S * 2 ** min(attempts, _DOUBLINGS_MAX), _RETRY_MAX_S)
            values = (attempts + 1, time.time() + retry_s, "delivered" if delivered else "pending", status, delivery_id)
            update = "UPDATE deliveries SET attempts = ?, next_at = ?, state = ?, last_status = ? WHERE id = ?"
            self._state.rows(update, values)
        finally:
            self._running.discard(delivery_id)

    def _send(self, event_id: str) -> int | None:
        """Send an event once and return the status of the response; `None` without a response."""
        event = self._state.get("event", event_id)
        if event is None:
            return 200  # A reset has deleted the event: there is nothing to send.
        payload = json.dumps(event, indent=2)
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": WebhookSignature.generate_signature_header(payload, self._secret),
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        }
        is_https = self._url.scheme == "https"
        connection_class = http.client.HTTPSConnection if is_https else http.client.HTTPConnection
        connection = connection_class(self._url.netloc, timeout=_ANSWER_TIMEOUT_S)
        try:
            connection.request("POST", self._url.path or "/", payload.encode(), headers)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
