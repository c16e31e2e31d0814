"""What operators may do with jobs, and what a run that retries many of them must mind."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from domain.errors import JobStateRefused
from domain.rules.jobs import Job, JobKind, JobState
from domain.units import UserId

RETRIES_PER_SECOND: Final = 20
"""How many jobs a retry-all run sets to pending in a second."""

FAILING_MAX_PERCENT: Final = 20
"""A run stops when more of the jobs it has retried fail again."""

TRIED_MIN: Final = 10
"""Before so many of its jobs have been tried again, a run does not judge."""

AHEAD_MAX: Final = 100
"""A run waits while so many of its jobs have not been tried again: it must not run ahead of what it can see."""

WHY_MAX: Final = 500

DIFFERENT: Final = "…"
"""Stands in the message of a cause for what differs from job to job."""

_RETRYABLE: Final = frozenset({JobState.FAILED, JobState.REJECTED})


class ActKind(StrEnum):
    """What an operator did."""

    RETRY = "retry"
    RETRY_ALL = "retry-all"
    DISCARD = "discard"
    ERASE = "erase"


@dataclass(frozen=True, kw_only=True)
class Act:
    """Something an operator did: who, when, what, why. Never changed, never deleted.

    Attributes:
        who: User id of the admin, or `cli:<login>`.
        job_id: Of the job it was about.
        run_id: Of the retry-all job that did it for the operator.
        facts: JSON, what else is to be known.
    """

    act: ActKind
    who: str
    why: str
    at: datetime
    job_id: UUID | None = None
    run_id: UUID | None = None
    user_id: UserId | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class JobFilter:
    """Which jobs are meant; what is `None` does not matter.

    Attributes:
        error: Class of the last error, or the code of the problem.
        older_than_s: Seconds since the job was recorded, at least.
        text: Part of the last message, the problem, the key or the payload; case does not matter.
    """

    state: JobState | None = None
    kind: JobKind | None = None
    user_id: UserId | None = None
    error: str | None = None
    older_than_s: int | None = None
    text: str | None = None

    def told(self) -> dict[str, Any]:
        """Write the filter as JSON, without what does not matter."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "JobFilter":
        """Read a filter that `told` has written."""
        read: dict[str, Any] = dict(told)
        if "state" in read:
            read["state"] = JobState(read["state"])
        if "kind" in read:
            read["kind"] = JobKind(read["kind"])
        return cls(**read)


@dataclass(frozen=True, kw_only=True)
class FoundJob:
    """A job with its last error: the class of the last failed try, or the code of its problem."""

    job: Job
    error: str | None
    message: str | None


@dataclass(frozen=True, kw_only=True)
class Try:
    """A failed try of a job."""

    worker: str
    error_class: str
    message: str
    traceback: str
    failed_at: datetime


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Jobs that ended alike.

    Attributes:
        message: What their last messages have in common; what differs is `…`.
        hours: Count by hour of the end (or, while pending, of the beginning), UTC.
        sample: One of them, the latest.
    """

    kind: JobKind
    state: JobState
    error: str
    message: str
    count: int
    first_at: datetime
    last_at: datetime
    hours: Mapping[str, int]
    sample: UUID

    @property
    def text(self) -> str:
        """The longest part that all messages have in common: finds these jobs among those of the same error."""
        return max(self.message.split(DIFFERENT), key=len).strip()


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run has come.

    Attributes:
        retried: Jobs it has set to pending.
        tried: Those of them that have been tried since.
        failing: Those whose try failed, whether they will be tried once more or not.
    """

    retried: int
    tried: int
    failing: int

    @property
    def must_stop(self) -> bool:
        """Whether too many fail again: the cause is not repaired."""
        return self.tried >= TRIED_MIN and self.failing * 100 > self.tried * FAILING_MAX_PERCENT

    @property
    def room(self) -> int:
        """How many jobs may be retried now."""
        return max(min(RETRIES_PER_SECOND, AHEAD_MAX - (self.retried - self.tried)), 0)


def retryable(wanted: JobFilter) -> JobFilter:
    """Narrow a filter to jobs that may run again: failed ones, unless it asks for rejected ones.

    Raises:
        JobStateRefused: it asks for jobs in another state.
    """
    state = wanted.state or JobState.FAILED
    if state not in _RETRYABLE:
        raise JobStateRefused(f"Only failed and rejected jobs can be retried, not {state.value} ones")
    return JobFilter(**{**{name: getattr(wanted, name) for name in asdict(wanted)}, "state": state})


def check_discardable(job: Job) -> None:
    """Make sure that a job may be given up.

    Raises:
        JobStateRefused: it is still at work, done, or discarded already.
    """
    if job.state not in _RETRYABLE:
        raise JobStateRefused(f"The job is {job.state.value}; only failed and rejected jobs can be discarded")


def ids_in(told: Any) -> Iterator[str]:
    """Find the texts below members that name something: `…Id`, `…_id`, `id`, `payment_intent`, `customer`."""
    if isinstance(told, Mapping):
        for name, value in told.items():
            if isinstance(value, str):
                if name.endswith(("Id", "_id")) or name in {"id", "payment_intent", "customer"}:
                    yield value
            else:
                yield from ids_in(value)
    elif isinstance(told, list):
        for value in told:
            yield from ids_in(value)


def age_s(text: str) -> int:
    """Read an age: a whole number and `s`, `m`, `h` or `d`; gives seconds.

    Raises:
        ValueError: the text is no such age, or longer than ten years.
    """
    number, unit = text[:-1], text[-1:]
    seconds = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}.get(unit)
    if seconds is None or not (number.isascii() and number.isdigit() and len(number) <= 9):  # noqa: PLR2004
        raise ValueError("must be a whole number and s, m, h or d, such as 15m")
    if timedelta(seconds=int(number) * seconds) > timedelta(days=3_650):
        raise ValueError("must be at most 3650d")
    return int(number) * seconds
