"""The first page of the console: how the service is, what failed, and what the day has brought."""

from datetime import UTC, datetime

from flask import Response

from domain.operations import operators as acts
from domain.rules.jobs import JobState
from domain.rules.operators import JobFilter
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
    with parts.database.single() as store:
        gauges, house = read_gauges(store), read_overview(store, now=now)
        causes = acts.causes(store, JobFilter(state=JobState.FAILED))
        done = acts.latest_acts(store, limit=10)
    return page(
        "overview.html",
        gauges=gauges,
        house=house,
        causes=causes,
        acts=done,
        redis=parts.bell.is_working(),
        invariants=[(one, gauges.violations.get(one.name, 0)) for one in INVARIANTS],
        charts=[day_chart("Sales today", house.sales, euro=True), day_chart("Renewals today", house.renewals)],
        now=now,
    )
