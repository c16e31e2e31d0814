"""The users' pages. Their scripts ask the API, with the token of whoever is signed in."""

from typing import Final

from web.http.api import Api
from web.pages import views

APIS: Final[tuple[Api, ...]] = (views.api,)
