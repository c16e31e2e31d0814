"""What a view may return instead of a plain model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

BASE: Final = "/api/v1"
"""Where the API begins; pages, health and metrics stand at the root."""

JSON: Final = "application/json"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer with its own status, headers or media type."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    mimetype: str = JSON
