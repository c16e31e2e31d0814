"""Routes that Stripe calls: the webhook."""

from typing import Final

from web.http.api import Api
from web.stripe import webhook

APIS: Final[tuple[Api, ...]] = (webhook.api,)
