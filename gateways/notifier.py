"""The notification service of the Mana ecosystem, which sends e-mails for us."""

import json
from collections.abc import Mapping
from typing import Any, Final

from domain.rules.sync import SYNC_APP
from domain.units import UserId
from gateways.errors import FinalError, RetryableError
from gateways.http import HttpClient, Unanswered

PATH: Final = "/api/v1/notifications/send"
LIMIT_S: Final = 10.0
"""How long a notice may take, from connecting to the last byte of the answer."""

ANSWER_BYTES_MAX: Final = 1_000_000
_OK: Final = 300
_SERVER_ERROR: Final = 500
_LATER: Final = frozenset({401, 403, 404, 408, 409, 425, 429})
"""Statuses that may go away by a deployment or a pause."""


class Notifier:
    """Posts notices.

    Args:
        url: Of the service, without its path.
        service_key: Sent as `X-Service-Key`.
        limit_s: How long a notice may take as a whole.
    """

    def __init__(self, url: str, service_key: str, *, limit_s: float = LIMIT_S) -> None:
        self._url = url + PATH
        self._headers = {"X-Service-Key": service_key, "X-App-Id": SYNC_APP, "Content-Type": "application/json"}
        self._client = HttpClient(limit_s=limit_s, bytes_max=ANSWER_BYTES_MAX)

    def send(self, user_id: UserId, text: Mapping[str, Any], *, key: str) -> None:
        """Ask the service to e-mail a user.

        Args:
            text: `subject`, `body` and `data`.
            key: The same for every attempt at the same notice.

        Raises:
            RetryableError: the service is away, or not ready.
            FinalError: it will never take this notice.
        """
        body = {"channel": "email", "appId": SYNC_APP, "userId": user_id, **text}
        headers = {**self._headers, "Idempotency-Key": key}
        try:
            answer = self._client.request("POST", self._url, headers=headers, body=json.dumps(body))
        except Unanswered as error:
            raise RetryableError(f"the notification service cannot be reached: {error}") from error
        if answer.status < _OK:
            return
        later = answer.status >= _SERVER_ERROR or answer.status in _LATER
        message = f"the notification service answered {answer.status}"
        raise (RetryableError if later else FinalError)(message)
