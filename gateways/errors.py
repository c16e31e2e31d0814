"""Errors of other services.

Every other exception means: another attempt later.
"""


class FinalError(Exception):
    """Another attempt cannot help: the job waits for a person at once."""


class RetryableError(Exception):
    """The service is not ready; the same call may succeed later."""
