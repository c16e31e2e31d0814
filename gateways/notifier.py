"""The notification service of the Mana ecosystem, which sends e-mails for us."""

from collections.abc import Mapping
from typing import Any, Final

import requests

from domain.rules.sync import SYNC_APP
from domain.units import UserId
from gateways.errors import FinalError, RetryableError

PATH: Final = "/api/v1/notifications/send"
TIMEOUT_S: Final = 10
_OK: Final = 300
_SERVER_ERROR: Final = 500
_LATER: Final = frozenset({401, 403, 404, 408, 409, 425, 429})
"""Statuses that may go away by a deployment or a pause."""


class Notifier:
    """Posts notices.

    Args:
        url: Of the service, without its path.
        service_key: Sent as `X-Service-Key`.
    """

    def __init__(self, url: str, service_key: str) -> None:
        self._url = url + PATH
        self._headers = {"X-Service-Key": service_key, "X-App-Id": SYNC_APP}

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
            answer = requests.post(self._url, json=body, headers=headers, timeout=TIMEOUT_S, allow_redirects=False)
        except requests.RequestException as error:
            raise RetryableError(f"the notification service cannot be reached: {type(error).__name__}") from error
        if answer.status_code < _OK:
            return
        later = answer.status_code >= _SERVER_ERROR or answer.status_code in _LATER
        message = f"the notification service answered {answer.status_code}"
        raise (RetryableError if later else FinalError)(message)
