"""`mana-credits reconcile`: list what Stripe knows, and catch up."""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from domain.operations.reconciliation import EVENTS_KEPT, request_reconciliation
from domain.rules.job_payloads import Listed
from domain.rules.jobs import Job, JobState
from domain.store import Database
from ops.following import ended, refuse_unless_done
from process.parts import command_parts

_AGE = re.compile(r"(\d{1,4})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class Since(click.ParamType[datetime]):
    """A moment: an ISO date or time (UTC unless it says otherwise), or an age such as `90m`, `24h`, `7d`."""

    name = "moment"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read it, or refuse it."""
        now = datetime.now(UTC)
        age = _AGE.fullmatch(value)
        try:
            moment = now - timedelta(**{_UNITS[age[2]]: int(age[1])}) if age else datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no time, and no age such as 90m, 24h or 7d", param, ctx)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if not now - EVENTS_KEPT <= moment <= now:
            self.fail(f"Stripe lists the last {EVENTS_KEPT.days} days", param, ctx)
        return moment


@click.command()
@click.option("--since", type=Since(), help="From when on, at most 30 days; default 24h, with --objects 30d.")
@click.option("--objects", is_flag=True, help="Compare payments, sessions, refunds and disputes, not events.")
def reconcile(*, since: datetime | None, objects: bool) -> None:
    """List what Stripe knows, do what was missed, and report. Exits 1 if something waits for a person."""
    now = datetime.now(UTC)
    console = Console()
    with command_parts() as parts, Progress(console=console, transient=True) as progress:
        with parts.database.begin() as store:
            first = request_reconciliation(store, since=since, objects=objects, now=now)
        parts.ring(first)
        listings = list(_listings(parts.database, first, progress, now=now))
        recorded = [job_id for listing in listings for job_id in listing.recorded]
        bar = progress.add_task("Doing what was missed", total=len(recorded))
        jobs = []
        for job_id in recorded:
            jobs.append(ended(parts.database, job_id))
            progress.advance(bar)
    _report(console, listings, jobs)
    sys.exit(1 if any(job.state is JobState.FAILED for job in jobs) else 0)


def _listings(database: Database, first: Job, progress: Progress, *, now: datetime) -> Iterator[Listed]:
    """Follow a chain of listing jobs; the bar shows how far back in time its lists have come."""
    bar = progress.add_task("Listing at Stripe", total=None)
    following: UUID | None = first.id
    while following is not None:
        job = refuse_unless_done(ended(database, following))
        listing: Listed = job.kind.read_result(job)
        yield listing
        following = listing.next
        whole = (now - listing.since).total_seconds()
        done = whole if following is None or listing.reached is None else now.timestamp() - listing.reached
        progress.update(bar, total=whole, completed=done, description=f"Listing at Stripe {listing.stream or ''}")


def _report(console: Console, listings: list[Listed], jobs: list[Job]) -> None:
    listed = sum(listing.listed for listing in listings)
    table = Table("What", "How many", title="Reconciliation")
    table.add_row("listed at Stripe", str(listed))
    table.add_row("not known here before", str(len(jobs)))
    for state, count in sorted(Counter(job.state for job in jobs).items()):
        table.add_row(f"  {state.value}", str(count))
    console.print(table)
    for job in jobs:
        if job.state is JobState.FAILED:
            console.print(f"{job.id} {job.key}: {(job.problem or {}).get('detail')}", style="red", markup=False)
