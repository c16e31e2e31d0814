"""Routes for everyone: health, documents, metrics, gifts by their code."""

from typing import Final

from web.http.api import Api
from web.public import documents, gifts, health, metrics

APIS: Final[tuple[Api, ...]] = (
    documents.api,
    gifts.api,
    health.api,
    metrics.api,
)
