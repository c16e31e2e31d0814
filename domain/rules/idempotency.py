"""Idempotency keys: which request a key stands for, and what a repeated key means.

A repeated key is found by a unique constraint, and only there: of a job when it is recorded
(`domain.operations.jobs.record`), of a movement of credits when it is appended (`domain.store.ledger.append`). Both
then compare the two requests, as `check_repeated` does. `web.http.idempotency_header` only reads the header.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any, TypedDict
from urllib.parse import quote

from domain.errors import KeyReused
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
        """The key of a job, unique among all jobs. Quoting keeps user `a:b` apart from user `a`, key `b`."""
        return f"{self.route}:{quote(user_id, safe='')}:{self.value}"


class MovementKeys(TypedDict):
    """The members of a movement that make it happen once."""

    movement_key: str
    idempotency_key: str | None
    request_hash: bytes | None


class JobKeys(TypedDict):
    """The members of a new job that make it be recorded once."""

    key: str
    request_hash: bytes | None


def movement_keys(key: ClientKey | None, *, natural: str) -> MovementKeys:
    """Choose the keys of a movement.

    Args:
        natural: The movement key where the client sent none.
    """
    if key is None:
        return {"movement_key": natural, "idempotency_key": None, "request_hash": None}
    return {"movement_key": key.movement_key, "idempotency_key": key.value, "request_hash": key.request_hash}


def job_keys(key: ClientKey | None, *, user_id: UserId, natural: str) -> JobKeys:
    """Choose the keys of a job.

    Args:
        user_id: Whose key the client's is; empty for keys of services.
        natural: The job's key where the client sent none.
    """
    if key is None:
        return {"key": natural, "request_hash": None}
    return {"key": key.job_key(user_id), "request_hash": key.request_hash}


def fingerprint(**facts: Any) -> bytes:
    """Hash the facts of a request, so that a repeated key can be told from a reused one.

    Args:
        facts: JSON values by name; the order of object members does not matter.
    """
    canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).digest()[:16]


def check_repeated(*, stored: bytes | None, repeated: bytes | None) -> None:
    """Check that a repeated key came with the request that it came with before: then the first answer is repeated.

    Args:
        stored: The fingerprint of the request that was written under this key.
        repeated: The fingerprint of the request that repeats it.

    Raises:
        KeyReused: it came with another request.
    """
    if stored != repeated:
        raise KeyReused
