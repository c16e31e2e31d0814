"""Attacks with single requests: what a client, a proxy or a library might send, and no server expects."""

import http.client
import json
from collections import Counter
from typing import Any, Final
from urllib.parse import quote, urlsplit
from uuid import uuid4

from local.stack import LocalStack

USER: Final = "attacker"
USE: Final = {"amount": 1, "appId": "chat", "description": "x"}
TEXTS: Final = (
    "half an emoji \ud83d",
    "\udc00 the other half",
    "nul \x00",
    "escape \x1b[2J",
    "right to left \u202e",
    "bell \x07",
    "\ufeff\u200b\u00ad",
    "x" * 40_000,
)
TIMES: Final = (
    "9999-12-31T23:59:59-23:59",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59.999999Z",
    "0000-00-00T00:00:00Z",
    "10000-01-01T00:00:00Z",
    "1969-12-31T23:59:60Z",
)
REPEATED: Final = ("Idempotency-Key", "Authorization", "X-Service-Key", "Content-Type", "Stripe-Signature", "Host")
PATHS: Final = (
    "//metrics",
    "/%2Fmetrics",
    "//api/v1/internal/credits/balance/a",
    "/api/v1//internal/credits/balance/a",
    "/api/v1/internal/credits/balance/a%2Fb",
    "/api/v1/internal/credits/balance/%00",
    "/api/v1/internal/credits/balance/%ff",
    "/..%2f..%2fetc/passwd",
    "/api/v1/jobs/%F0%9F",
)


def repeated_headers(stack: LocalStack) -> Counter[int]:
    """Send headers twice that come once."""
    statuses: Counter[int] = Counter()
    for name in REPEATED:
        for first, second in (("K", "K"), ("K", "L"), ("K", "")):
            statuses[_status(stack, "POST", "/api/v1/credits/use", USE, [(name, first), (name, second)])] += 1
    return statuses


def paths(stack: LocalStack) -> Counter[int]:
    """Ask for paths that a proxy's rule may not see."""
    return Counter(_status(stack, "GET", path, None, [_service_key(stack)]) for path in PATHS)


def text(stack: LocalStack) -> Counter[int]:
    """Put every kind of character where text, ids and keys are expected."""
    statuses: Counter[int] = Counter()
    for odd in TEXTS:
        for body in (USE | {"description": odd}, USE | {"appId": odd}, USE | {"metadata": {odd[:20]: odd[:20]}}):
            statuses[_status(stack, "POST", "/api/v1/credits/use", body, [_token(stack)])] += 1
        gift = {"totalCredits": 10, "type": "simple", "message": odd, "targetEmail": f"{odd[:10]}@a.de."}
        statuses[_status(stack, "POST", "/api/v1/gifts", gift, [_token(stack)])] += 1
        redeem = f"/api/v1/gifts/{quote(odd[:30], errors='surrogatepass')}"
        statuses[_status(stack, "GET", redeem, None, [])] += 1
    return statuses


def ends_of_time(stack: LocalStack) -> Counter[int]:
    """Send instants at the ends of what a calendar has, wherever one is expected."""
    statuses: Counter[int] = Counter()
    for instant in TIMES:
        gift = {"totalCredits": 10, "type": "simple", "expiresAt": instant}
        statuses[_status(stack, "POST", "/api/v1/gifts", gift, [_token(stack)])] += 1
        encoded = quote(instant)
        for path in ("/api/v1/credits/transactions", "/api/v1/credits/usage"):
            for query in ("from", "to", "before", "since", "until"):
                statuses[_status(stack, "GET", f"{path}?{query}={encoded}", None, [_token(stack)])] += 1
    return statuses


def tokens(stack: LocalStack) -> Counter[int]:
    """Send tokens that are cut off, unsigned, of an unknown key, or end at the end of numbers."""
    good = stack.token(USER)
    head, payload, signature = good.split(".")
    odd = [good[:-5], f"{head}.{payload}.", f"{head}.{signature}.{payload}", "a.b.c", "." * 5, "é" * 10, good * 30]
    return Counter(
        _status(stack, "GET", "/api/v1/credits/balance", None, [("Authorization", f"Bearer {token}")]) for token in odd
    )


def addresses(stack: LocalStack) -> Counter[int]:
    """Guess gift codes from an address that is written differently each time."""
    forged = [f"203.0.113.2:{port}" for port in range(20)] + ["::ffff:203.0.113.2", "unknown", "203.0.113.2, x", ""]
    statuses: Counter[int] = Counter()
    for address in forged:
        for name in ("X-Forwarded-For", "X_Forwarded_For"):
            path = f"/api/v1/gifts/{uuid4().hex[:8].upper()}"
            statuses[_status(stack, "GET", path, None, [(name, address)])] += 1
    return statuses


def _token(stack: LocalStack) -> tuple[str, str]:
    return "Authorization", f"Bearer {stack.token(USER)}"


def _service_key(stack: LocalStack) -> tuple[str, str]:
    return "X-Service-Key", stack.env["MANA_SERVICE_KEY"]


def _status(stack: LocalStack, method: str, path: str, body: Any, headers: list[tuple[str, str]]) -> int:
    """Send a request as it is written here; returns the status, 0 if the connection broke."""
    address = urlsplit(stack.base_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
    try:
        connection.putrequest(method, path)
        raw = b"" if body is None else json.dumps(body).encode()
        if body is not None and not any(name == "Content-Type" for name, _value in headers):
            connection.putheader("Content-Type", "application/json")
        for name, value in headers:
            connection.putheader(name, value.encode("utf-8", "surrogatepass"))
        connection.putheader("Content-Length", str(len(raw)))
        connection.endheaders(raw)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
