"""What operators may do with jobs, and the limits of a run that retries many of them."""

from dataclasses import dataclass
from typing import Final

import msgspec

from domain.errors import JobStateRefused
from domain.rules.job_search import JobFilter
from domain.rules.jobs import Job, JobState

RETRIES_PER_SECOND: Final = 20
"""How many jobs a retry-all run sets to pending in a second."""

FAILING_MAX_PERCENT: Final = 20
"""A run stops when more of the jobs it has retried fail again."""

TRIED_MIN: Final = 10
"""A run does not stop before so many of its jobs have been attempted again."""

AHEAD_MAX: Final = 100
"""A run waits while so many of its jobs have not been attempted again: first it must see how those end."""

_RETRYABLE: Final = frozenset({JobState.FAILED, JobState.REJECTED})


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run has come.

    Attributes:
        retried: Jobs it has set to pending.
        tried: Those of them that have been attempted since.
        failing: Those whose attempt failed, whether another attempt follows or not.
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


def retryable(filters: JobFilter) -> JobFilter:
    """Narrow a filter to jobs that may run again: failed ones, unless it asks for rejected ones.

    Raises:
        JobStateRefused: it asks for jobs in another state.
    """
    state = filters.state or JobState.FAILED
    if state not in _RETRYABLE:
        raise JobStateRefused(f"Only failed and rejected jobs can be retried, not {state.value} ones")
    return msgspec.structs.replace(filters, state=state)


def check_discardable(job: Job) -> None:
    """Make sure that a job may be given up.

    Raises:
        JobStateRefused: it is still at work, done, or discarded already.
    """
    if job.state not in _RETRYABLE:
        raise JobStateRefused(f"The job is {job.state.value}; only failed and rejected jobs can be discarded")
