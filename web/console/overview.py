"""The first page of the console: how the service is, what failed, and what the day has brought."""

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
    """Show the state of the house, what failed, and what the day has brought."""
    parts, now = current_parts(), datetime.now(UTC)
    with parts.database.read() as reader:
        gauges, house = read_gauges(reader), read_overview(reader, now=now)
        causes = job_search.causes(reader, JobFilter(state=JobState.FAILED))
        done = acts.latest(reader, limit=10)
    return page(
        "overview.html",
        gauges=gauges,
        house=house,
        causes=causes,
        acts=done,
        redis=parts.bell.is_working(),
        invariants=[(invariant, gauges.violations.get(invariant.name, 0)) for invariant in INVARIANTS],
        charts=[day_chart("Sales today", house.sales, euro=True), day_chart("Renewals today", house.renewals)],
        now=now,
    )
