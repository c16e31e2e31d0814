"""The operators' console at `/ops`: pages that need no script. What they show and do is what the admin API does."""

from typing import Final

from web.console import jobs, overview, sign_in
from web.console.page import api, door
from web.http.api import Api

__all__ = ["APIS", "jobs", "overview", "sign_in"]

APIS: Final[tuple[Api, ...]] = (door, api)
