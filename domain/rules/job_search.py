"""Searching jobs for operators, and what a search returns."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from domain.rules.jobs import AnyKind, Job, JobState
from domain.units import UserId

DIFFERENT: Final = "…"
"""Replaces, in the message of a cause, what differs from job to job."""


class JobFilter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which jobs match; a member that is `None` matches every job.

    Attributes:
        kind: Name of a kind.
        error: Class of the last error, or the code of the problem.
        older_than_s: Seconds since the job was recorded, at least.
        text: Part of the last message, the problem, the key or the payload; case does not matter.
    """

    state: JobState | None = None
    kind: str | None = None
    user_id: UserId | None = None
    error: str | None = None
    older_than_s: int | None = None
    text: str | None = None

    def conditions(self) -> dict[str, Any]:
        """List the members that are set, by name."""
        conditions: dict[str, Any] = msgspec.to_builtins(self)
        return conditions


@dataclass(frozen=True, kw_only=True)
class FoundJob:
    """A job with its last error: the class of the last failed attempt, or the code of its problem."""

    job: Job
    error: str | None
    message: str | None


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A failed attempt at a job."""

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

    kind: AnyKind
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


def ids_in(document: Any) -> Iterator[str]:
    """Find the ids in JSON: the texts of members called `…Id`, `…_id`, `id`, `payment_intent` or `customer`."""
    if isinstance(document, Mapping):
        for name, value in document.items():
            if isinstance(value, str):
                if name.endswith(("Id", "_id")) or name in {"id", "payment_intent", "customer"}:
                    yield value
            else:
                yield from ids_in(value)
    elif isinstance(document, list):
        for value in document:
            yield from ids_in(value)


def age_s(text: str) -> int:
    """Read an age: a whole number and `s`, `m`, `h` or `d`; returns seconds.

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


def failed_only(filters: JobFilter) -> JobFilter:
    """Narrow a filter to failed jobs, unless it names a state: the jobs an operator looks at first."""
    return filters if filters.state is not None else msgspec.structs.replace(filters, state=JobState.FAILED)
