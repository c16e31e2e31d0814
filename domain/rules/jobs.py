"""Jobs: the acts that are recorded now and done by a worker. The kinds of jobs are in `job_kinds`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

import msgspec

from domain.errors import Parked
from domain.units import UserId

ATTEMPTS_MAX: Final = 8
"""Failed attempts after which a job is `failed` and waits for a person: about five minutes."""

OUTSIDE_ATTEMPTS_MAX: Final = 24
"""The same for kinds that need another service: an outage there of an hour and a half passes by itself."""

STARTS_MAX: Final = 5
"""Starts without an end (the worker died, five times) after which a job is `failed`."""

LEASE: Final = timedelta(seconds=30)
"""How long a started job belongs to its worker. After that any worker may start it, and only that one can end it."""

LONG_LEASE: Final = timedelta(minutes=15)
"""The same for kinds that read or delete much."""

BACKOFF_MAX_S: Final = 300


class Queue(StrEnum):
    """The queues in Redis, kept apart so that many renewals never delay a purchase."""

    DEFAULT = "default"
    RENEWALS = "renewals"
    NOTIFY = "notify"


class JobState(StrEnum):
    """Where a job is. `done` and `discarded` are for ever; `rejected` and `failed` may be set to `pending` again."""

    PENDING = "pending"
    DONE = "done"
    REJECTED = "rejected"
    FAILED = "failed"
    DISCARDED = "discarded"


class Payload(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What a job is about. Stored as JSON with camelCase names; what is not stored has its default."""


class UserPayload(Payload, frozen=True, kw_only=True, rename="camel"):
    """The payload of a job that acts for a user. The user's id is stored in the job's own column."""

    user_id: UserId


class NoPayload(Payload, frozen=True, kw_only=True):
    """The payload of a job that needs no facts."""


class Result(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What a done job answers. Stored as JSON with camelCase names."""


P = TypeVar("P", bound=Payload)
R = TypeVar("R", bound=Result)


@dataclass(frozen=True, kw_only=True, eq=False)
class JobKind(Generic[P, R]):
    """What a job does, and how it is queued and tried. Each kind has one handler in `workers.handlers`.

    Attributes:
        name: As it is stored and shown.
        payload: The class of what goes in.
        result: The class of what comes out.
        queue: The queue whose workers do it.
        attempts_max: Failed attempts after which a job of this kind waits for a person.
        lease: How long a started job belongs to its worker.
        every: The clock records one job per period of this length; `None` for kinds that something else asks for.
        comes_first: Its jobs tell of money that was paid. They start before all others of their queue.
        earlier_names: Names that earlier releases stored.
    """

    name: str
    payload: type[P]
    result: type[R]
    queue: Queue = Queue.DEFAULT
    attempts_max: int = ATTEMPTS_MAX
    lease: timedelta = LEASE
    every: timedelta | None = None
    comes_first: bool = False
    earlier_names: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Every name under which jobs of this kind are stored."""
        return (self.name, *self.earlier_names)

    def read_payload(self, job: "Job") -> P:
        """Read a job's payload.

        Raises:
            Parked: it is not one of this kind: a person must look.
        """
        facts = dict(job.payload)
        if issubclass(self.payload, UserPayload):
            facts["userId"] = job.user_id
        try:
            return msgspec.convert(facts, self.payload)
        except msgspec.ValidationError as error:
            raise Parked(f"The payload of this job cannot be read: {error}") from error

    def read_result(self, job: "Job") -> R:
        """Read the result of a done job."""
        return msgspec.convert(job.result, self.result)


AnyKind = JobKind[Any, Any]
"""A kind of which only the name, queue and budgets matter."""


@dataclass(frozen=True, kw_only=True)
class NewJob(Generic[P, R]):
    """A job to be recorded.

    Attributes:
        key: Unique among all jobs: the scope of a client's idempotency key, or the natural key of the act.
        concerns: The user whose data a job is about that does not act for a user.
        request_id: Of the request that caused it, so that logs can be followed.
    """

    kind: JobKind[P, R]
    key: str
    payload: P
    concerns: UserId | None = None
    request_hash: bytes | None = None
    request_id: str | None = None

    @property
    def user_id(self) -> UserId | None:
        """The user whose job it is, if it is a user's."""
        return self.payload.user_id if isinstance(self.payload, UserPayload) else self.concerns

    @property
    def stored_payload(self) -> dict[str, Any]:
        """The payload as JSON."""
        facts: dict[str, Any] = msgspec.to_builtins(self.payload)
        facts.pop("userId", None)
        return facts


AnyNewJob = NewJob[Any, Any]


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job as it is recorded.

    Attributes:
        payload: JSON; `kind.read_payload` reads it.
        attempts: Attempts that ended in an error since it was last set to pending.
        starts: Starts without an end since then.
        lease_token: Of the start that may write its end.
        result: JSON, what a done job answers; `kind.read_result` reads it.
        problem: JSON, why it is rejected or failed: `code`, `title`, `detail`, `details`.
    """

    id: UUID
    kind: AnyKind
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
class Recorded(Generic[P, R]):
    """A recorded job; `replayed` if an earlier request had recorded it already."""

    job: Job
    kind: JobKind[P, R]
    replayed: bool

    @property
    def payload(self) -> P:
        """What the recorded job is about; for a repeated key, what the first request asked for."""
        return self.kind.read_payload(self.job)


def stored_result(result: Result) -> dict[str, Any]:
    """Write a job's result as JSON."""
    facts: dict[str, Any] = msgspec.to_builtins(result)
    return facts


def backoff(attempts: int, *, jitter: float) -> timedelta:
    """Tell how long a job rests after its n-th failed attempt: 2, 4, 8 … 300 seconds.

    Args:
        attempts: Failed attempts so far, this one included.
        jitter: 0 to 1; spreads jobs that failed together over a quarter of the pause more.
    """
    return timedelta(seconds=min(2**attempts, BACKOFF_MAX_S) * (1 + jitter / 4))
