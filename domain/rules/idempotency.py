"""Idempotency keys: which request a key stands for, and where it counts."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from domain.units import UserId


@dataclass(frozen=True, kw_only=True)
class ClientKey:
    """A key that a client sent with a request that moves credits.

    Attributes:
        route: Short name of the route; one key sent to two routes means two requests.
        value: 1 to 255 visible ASCII characters.
        request_hash: Fingerprint of the request; see `fingerprint`.
    """

    route: str
    value: str
    request_hash: bytes

    @property
    def movement_key(self) -> str:
        """The key of the ledger row; unique beside the user whose credits move."""
        return f"{self.route}:{self.value}"

    def job_key(self, user_id: UserId) -> str:
        """The key of a job, unique in the whole house. Quoting keeps user `a:b` apart from user `a`, key `b`."""
        return f"{self.route}:{quote(user_id, safe='')}:{self.value}"


def fingerprint(**facts: Any) -> bytes:
    """Hash the facts of a request, so that a repeated key can be told from a reused one.

    Args:
        facts: JSON values by name; the order of object members does not matter.
    """
    canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).digest()[:16]
