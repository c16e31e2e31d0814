"""Following a job that was accepted with 202."""

from typing import Self
from uuid import UUID

from flask import g

from domain.errors import NotFound
from domain.rules.jobs import Job, JobState
from domain.store import jobs as job_rows
from web.http import auth
from web.http.api import Api
from web.http.models import Instant, JsonObject, Model, Problem
from web.http.parts import current_parts
from web.http.problems import job_problem
from web.shared.jobs import without_secrets

api = Api("users_jobs", auth.user_or_service)


class JobStatus(Model):
    """The state of a job. `result` is what the act answers if it is done at once.

    What lets somebody pay (`clientSecret`, `checkoutUrl`) is for its user alone: services and administrators see `…`.
    """

    job_id: UUID
    kind: str
    status: JobState
    result: JsonObject | None
    problem: Problem | None
    attempts: int
    created_at: Instant
    finished_at: Instant | None

    @classmethod
    def from_job(cls, job: Job, *, for_owner: bool) -> Self:
        """Show a job to its user, or to somebody else."""
        result = None if job.result is None else dict(job.result)
        return cls(
            job_id=job.id,
            kind=job.kind.name,
            status=job.state,
            result=result if for_owner or result is None else without_secrets(result),
            problem=job_problem(job.problem) if job.problem else None,
            attempts=job.attempts,
            created_at=job.created_at,
            finished_at=job.finished_at,
        )


@api.operation("GET", "/jobs/<uuid:job_id>", answers=JobStatus, refusals=[NotFound])
def get_job(job_id: UUID) -> JobStatus:
    """Follow a job: the user's own, or any for a service."""
    with current_parts().database.read() as reader:
        job = job_rows.get(reader, job_id, owner=auth.visible_owner(g.user))
    return JobStatus.from_job(job, for_owner=g.user is not None and g.user.id == job.user_id)
