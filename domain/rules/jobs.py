"""Jobs: the acts that are recorded now and done by a worker."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from domain.units import UserId

ATTEMPTS_MAX: Final = 8
"""Failed tries after which a job is `failed` and waits for a person: about five minutes."""

OUTSIDE_ATTEMPTS_MAX: Final = 24
"""The same for kinds that wait for the world outside: an outage there of an hour and a half passes by itself."""

STARTS_MAX: Final = 5
"""Starts without an end (the worker died, five times) after which a job is `failed`."""

LEASE: Final = timedelta(seconds=30)
"""How long a started job belongs to its worker. After that anyone may start it, and the old worker writes nothing."""

LONG_LEASE: Final = timedelta(minutes=15)

BACKOFF_MAX_S: Final = 300


class Queue(StrEnum):
    """The queues in Redis, kept apart so that a renewal wave never delays a purchase."""

    DEFAULT = "default"
    RENEWALS = "renewals"
    NOTIFY = "notify"


class JobKind(StrEnum):
    """What a job does; each kind has one handler in `workers.handlers`."""

    PURCHASE = "purchase"
    STRIPE_EVENT = "stripe"
    STRIPE_OBJECT = "stripe-object"
    REFUND = "refund"
    RECONCILE = "reconcile"
    RECONCILE_OBJECTS = "reconcile-objects"
    ABANDONED = "abandoned"
    CANCEL = "cancel"
    REDEEM = "redeem"
    REDEEM_PENDING = "redeem-pending"
    EXPIRE_GIFTS = "expire-gifts"
    EXPIRE_HOLDS = "expire-holds"
    ROLL_UP_USAGE = "roll-up-usage"
    PRUNE = "prune"
    AUDIT = "audit"
    RETRY_ALL = "retry-all"
    ACTIVATE = "activate"
    RESUME = "resume"
    RENEW = "renew"
    CHARGE_RECURRING = "charge_recurring"
    NOTIFY = "notify"

    @property
    def attempts_max(self) -> int:
        """Failed tries after which a job of this kind waits for a person."""
        return OUTSIDE_ATTEMPTS_MAX if self in _OUTSIDE else ATTEMPTS_MAX

    @property
    def queue(self) -> Queue:
        """The queue whose workers do this kind."""
        match self:
            case (
                JobKind.PURCHASE
                | JobKind.STRIPE_EVENT
                | JobKind.PRUNE
                | JobKind.AUDIT
                | JobKind.RETRY_ALL
                | JobKind.STRIPE_OBJECT
                | JobKind.REFUND
                | JobKind.CANCEL
                | JobKind.ABANDONED
                | JobKind.RECONCILE
                | JobKind.RECONCILE_OBJECTS
                | JobKind.ACTIVATE
                | JobKind.RESUME
                | JobKind.CHARGE_RECURRING
                | JobKind.REDEEM
                | JobKind.REDEEM_PENDING
                | JobKind.EXPIRE_GIFTS
                | JobKind.EXPIRE_HOLDS
                | JobKind.ROLL_UP_USAGE
            ):
                return Queue.DEFAULT
            case JobKind.RENEW:
                return Queue.RENEWALS
            case JobKind.NOTIFY:
                return Queue.NOTIFY


_OUTSIDE: Final = frozenset(
    {JobKind.PURCHASE, JobKind.REFUND, JobKind.CANCEL, JobKind.RECONCILE, JobKind.RECONCILE_OBJECTS, JobKind.NOTIFY}
)
LONG_KINDS: Final = frozenset(
    {JobKind.AUDIT, JobKind.PRUNE, JobKind.RECONCILE, JobKind.RECONCILE_OBJECTS, JobKind.ABANDONED}
)
"""Kinds that read or delete much: they are leased for `LONG_LEASE`."""


class JobState(StrEnum):
    """Where a job is. `done` and `discarded` are for ever; `rejected` and `failed` may be set to `pending` again."""

    PENDING = "pending"
    DONE = "done"
    REJECTED = "rejected"
    FAILED = "failed"
    DISCARDED = "discarded"


@dataclass(frozen=True, kw_only=True)
class NewJob:
    """A job to be recorded.

    Attributes:
        key: Unique in the house: the scope of a client's idempotency key, or the natural key of the act.
        payload: JSON facts the handler needs.
        request_id: Of the request that caused it, so that logs can be followed.
    """

    kind: JobKind
    key: str
    user_id: UserId | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)
    request_hash: bytes | None = None
    request_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job as it is recorded.

    Attributes:
        attempts: Tries that ended in an error since it was last set to pending.
        starts: Starts without an end since then.
        lease_token: Of the start that may write its end.
        result: JSON, what a done job answers.
        problem: JSON, why it is rejected or failed: `code`, `title`, `detail`, `details`.
    """

    id: UUID
    kind: JobKind
    queue: Queue
    key: str
    user_id: UserId | None
    payload: Mapping[str, Any]
    request_hash: bytes | None
    request_id: str | None
    state: JobState
    attempts: int
    starts: int
    lease_token: UUID | None
    result: Mapping[str, Any] | None
    problem: Mapping[str, Any] | None
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What came of recording a job: the job, and whether an earlier request had recorded it already."""

    job: Job
    replayed: bool


def backoff(attempts: int, *, jitter: float) -> timedelta:
    """Tell how long a job rests after its n-th failed try: 2, 4, 8 … 300 seconds.

    Args:
        attempts: Failed tries so far, this one included.
        jitter: 0 to 1; spreads jobs that failed together over a quarter of the pause more.
    """
    return timedelta(seconds=min(2**attempts, BACKOFF_MAX_S) * (1 + jitter / 4))
