"""How a handler says that something went wrong outside this machine.

Every other exception means: try again later.
"""

from datetime import timedelta


class Later(Exception):
    """The job has done a part of its work and goes on after `pause`. That is no failed try."""

    def __init__(self, pause: timedelta) -> None:
        super().__init__(f"goes on in {pause}")
        self.pause = pause


class FinalError(Exception):
    """Trying again cannot help: the job goes to a person at once."""


class RetryableError(Exception):
    """The outside world is not ready; the same call may succeed in a while."""
