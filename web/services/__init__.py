"""Routes of other services, behind `X-Service-Key`."""

from typing import Final

from web.http.api import Api
from web.services import credits, gifts, grants, holds, sync, usage  # noqa: A004 - the contract's word

APIS: Final[tuple[Api, ...]] = (
    credits.api,
    gifts.api,
    grants.api,
    holds.api,
    sync.api,
    usage.api,
)
