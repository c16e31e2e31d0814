"""The users' pages. Their scripts call the API with the signed-in user's token."""

from typing import Final

from web.http.api import Api
from web.pages import views

APIS: Final[tuple[Api, ...]] = (views.api,)
