"""Routes of signed-in users: their own credits, purchases, gifts, sync, usage and jobs."""

from typing import Final

from web.http.api import Api
from web.users import credits, gifts, jobs, purchases, sync, usage  # noqa: A004 - the contract's word

APIS: Final[tuple[Api, ...]] = (
    credits.api,
    gifts.api,
    jobs.api,
    purchases.api,
    sync.api,
    usage.api,
)
