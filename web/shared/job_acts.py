"""The acts of operators on jobs, as the admin API and the console call them."""

from datetime import UTC, datetime
from uuid import UUID

from domain.operations import job_repair
from domain.store import job_search
from domain.store.job_search import JobSheet
from web.http.parts import current_parts


def retry(job_id: UUID, *, who: str, why: str) -> JobSheet:
    """Set a failed or rejected job to pending and ring for it; returns the job as it was before the ring.

    Raises:
        NotFound: there is no such job.
        JobStateRefused: it cannot be retried.
    """
    parts = current_parts()
    with parts.database.begin() as store:
        retried = job_repair.retry_job(store, job_id, who=who, why=why, now=datetime.now(UTC))
        sheet = job_search.sheet(store, job_id)
    parts.bell.ring(retried)
    return sheet


def discard(job_id: UUID, *, who: str, why: str) -> JobSheet:
    """Discard a failed or rejected job for ever; returns it as it now is.

    Raises:
        NotFound: there is no such job.
        JobStateRefused: it cannot be discarded.
    """
    with current_parts().database.begin() as store:
        job_repair.discard_job(store, job_id, who=who, why=why, now=datetime.now(UTC))
        return job_search.sheet(store, job_id)
