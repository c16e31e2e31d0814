"""Calling Stripe: one client, one time-out, and Stripe's errors turned into ours.

The version of the API is the one this release of the stripe package is made for; our lock pins both.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import stripe

from gateways.errors import FinalError, RetryableError
from gateways.http import HttpClient, Unanswered

TIMEOUT_S: Final = 10.0
_FINAL_STATUSES: Final = frozenset({400, 404})
_KEPT_REFUSALS: Final = frozenset({400, 402, 404})
_SERVER_ERROR: Final = 500


def connect(secret_key: str, *, api_base: str | None, timeout_s: float = TIMEOUT_S) -> stripe.StripeClient:
    """Make the client of a process.

    Args:
        api_base: Where the API is; `None` is the real one.
        timeout_s: How long a call may take, from connecting to the last byte of the answer.
    """
    return stripe.StripeClient(
        secret_key,
        base_addresses={"api": api_base} if api_base else {},
        max_network_retries=0,  # ours retry, with pauses kept in PostgreSQL
        http_client=_BoundedClient(limit_s=timeout_s),
    )


class _BoundedClient(stripe.HTTPClient):
    """What the library sends its requests with: each has a limit for the whole of it."""

    name = "requests"

    def __init__(self, *, limit_s: float) -> None:
        super().__init__()
        self._client = HttpClient(limit_s=limit_s)

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, **_options: Any
    ) -> tuple[str, int, Mapping[str, str]]:
        """Send a request and return the answer's body, status and headers.

        Raises:
            stripe.APIConnectionError: there is no whole answer.
        """
        try:
            answer = self._client.request(method, url, headers=headers, body=post_data, verify=stripe.ca_bundle_path)
        except Unanswered as error:
            message = f"Stripe cannot be reached: {error}"
            raise stripe.APIConnectionError(message, should_retry=True) from error  # type: ignore[no-untyped-call]
        return answer.body.decode(errors="replace"), answer.status, answer.headers

    def close(self) -> None:
        """Leave the connections to their threads, which close them when they end."""


@contextmanager
def translated() -> Iterator[None]:
    """Turn the library's errors into ours: what Stripe will never accept is final, all else is attempted again."""
    try:
        yield
    except stripe.StripeError as error:
        message = f"Stripe: {error.user_message or type(error).__name__} (status {error.http_status})"
        final = isinstance(error, stripe.InvalidRequestError) and error.http_status in _FINAL_STATUSES
        raise (FinalError if final and not wants_retry(error) else RetryableError)(message) from error


def is_kept(status: int | None) -> bool:
    """Tell whether Stripe may keep an answer of this status for its key, and would repeat it for a day.

    Kept are the answers of requests that were begun: its own errors, and refusals by an object's state.
    """
    return status is not None and (status >= _SERVER_ERROR or status in _KEPT_REFUSALS)


def wants_retry(error: stripe.StripeError) -> bool:
    """Tell whether Stripe says that the same request, with the same key, may succeed.

    Source: https://docs.stripe.com/error-low-level#stripe-should-retry. Its `false` changes nothing here: a retry
    uses the same key again only where that is safe.
    """
    headers: Mapping[str, Any] = error.headers or {}
    lower_case = {name.lower(): value for name, value in headers.items()}
    return lower_case.get("stripe-should-retry") == "true"
