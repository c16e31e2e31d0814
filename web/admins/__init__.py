"""Routes of administrators."""

from typing import Final

from web.admins import jobs, sync
from web.http.api import Api

APIS: Final[tuple[Api, ...]] = (
    jobs.api,
    sync.api,
)
