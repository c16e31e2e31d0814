"""The first page of the console: the state of the service, failed jobs, and the figures of the day."""

from datetime import UTC, datetime

from flask import Response

from domain.rules.job_search import JobFilter
from domain.rules.jobs import JobState
from domain.store import acts, job_search
from domain.store.gauges import read_gauges
from domain.store.invariants import INVARIANTS
from domain.store.overview import read_overview
from web.console.charts import day_chart
from web.console.page import api, page
from web.http.parts import current_parts


@api.get("")
def overview() -> Response:
    """Show the state of the service, failed jobs, and the figures of the day."""
    parts, now = current_parts(), datetime.now(UTC)
    with parts.database.read() as reader:
        gauges, today = read_gauges(reader), read_overview(reader, now=now)
        causes = job_search.causes(reader, JobFilter(state=JobState.FAILED))
        latest_acts = acts.latest(reader, limit=10)
    return page(
        "overview.html",
        gauges=gauges,
        overview=today,
        causes=causes,
        acts=latest_acts,
        redis=parts.bell.is_working(),
        invariants=[(invariant, gauges.violations.get(invariant.name, 0)) for invariant in INVARIANTS],
        charts=[day_chart("Sales today", today.sales, euro=True), day_chart("Renewals today", today.renewals)],
        now=now,
    )
