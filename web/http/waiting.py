"""Queued acts: ring for the job, wait a little for a worker, answer with its result, or 202 with its address.

`Prefer`: RFC 7240.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from flask import request

from domain.rules.jobs import JobState, P, R, Recorded
from web.http import problems
from web.http.answer import BASE, Answer
from web.http.idempotency_header import REPLAYED
from web.http.models import Accepted
from web.http.parts import current_parts

PREFERRED_MAX_S: Final = 10

_WAIT: Final = re.compile(r"^wait=([0-9]{1,6})$", re.IGNORECASE)
_ASYNC: Final = re.compile(r"^respond-async$", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Preference:
    """How long the client wants to wait, and what `Preference-Applied` says."""

    wait_s: float
    applied: str | None


def preference(header: str, *, default_s: float) -> Preference:
    """Read a `Prefer` header. Unknown preferences are ignored, as RFC 7240 says."""
    for part in (part.strip() for part in re.split(r"[,;]", header)):
        if _ASYNC.match(part):
            return Preference(wait_s=0, applied="respond-async")
        if match := _WAIT.match(part):
            seconds = min(int(match[1]), PREFERRED_MAX_S)
            return Preference(wait_s=seconds, applied=f"wait={seconds}")
    return Preference(wait_s=default_s, applied=None)


def wait_and_answer(
    recorded: Recorded[P, R],
    *,
    model: Callable[[R], Any],
    purchase_id: UUID | None = None,
) -> Answer:
    """Ring for a recorded job, wait for it, and answer with its result, its problem, or 202. Call it after the commit.

    Args:
        model: Builds the answer of a done job from its result.
        purchase_id: Of the purchase this job is about, for clients that continue before the job is done.
    """
    parts = current_parts()
    preferred = preference(request.headers.get("Prefer", ""), default_s=parts.settings.job_wait_s)
    job = recorded.job
    was_done = recorded.replayed and job.state is JobState.DONE
    if job.state is JobState.PENDING:
        parts.bell.ring(job)
        job = parts.waiting_room.wait(job, most_s=preferred.wait_s)
    headers = {"Preference-Applied": preferred.applied} if preferred.applied else {}
    if was_done:
        headers[REPLAYED] = "true"
    match job.state:
        case JobState.DONE:
            return Answer(body=model(recorded.kind.read_result(job)), headers=headers)
        case JobState.REJECTED | JobState.FAILED | JobState.DISCARDED:
            problem = problems.job_problem(job.problem or _DISCARDED, job_id=job.id)
            retry = {"Retry-After": "1"} if problem.status == 503 else {}  # noqa: PLR2004
            return Answer(body=problem, status=problem.status, headers=headers | retry, mimetype=problems.PROBLEM_JSON)
        case JobState.PENDING:
            url = job_url(job.id)
            accepted = Accepted(job_id=job.id, status="pending", status_url=url, purchase_id=purchase_id)
            return Answer(body=accepted, status=202, headers=headers | {"Location": url, "Retry-After": "1"})


_DISCARDED: Final = {"code": "job_discarded", "title": "Job discarded", "detail": "An operator discarded this job"}


def job_url(job_id: UUID) -> str:
    """Return the address of a job."""
    return f"{BASE}/jobs/{job_id}"
