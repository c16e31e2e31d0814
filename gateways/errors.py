"""How a handler says that something went wrong outside this machine.

Every other exception means: try again later.
"""


class FinalError(Exception):
    """Trying again cannot help: the job goes to a person at once."""


class RetryableError(Exception):
    """The outside world is not ready; the same call may succeed in a while."""
