"""`mana-credits reconcile`: list what Stripe knows, and do what was missed."""

import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from domain.operations.reconciliation import request_reconciliation
from domain.rules.job_payloads import Listed
from domain.rules.jobs import Job, JobState
from domain.store import Database
from ops import following
from ops.following import exit_unless_done, follow_command, wait_for_end
from ops.options import Moment
from ops.terminal import terminal
from process.parts import command_parts


@click.command()
@click.option("--since", type=Moment(), help="From when on, at most 30 days; default 24h, with --objects 30d.")
@click.option("--objects", is_flag=True, help="Compare payments, sessions, refunds and disputes, not events.")
def reconcile(*, since: datetime | None, objects: bool) -> None:
    """List what Stripe knows, do what was missed, and report. Exits 1 if a job failed."""
    now = datetime.now(UTC)
    console = terminal()
    with command_parts() as parts, Progress(console=console, transient=True) as progress:
        with parts.database.begin() as store:
            first = request_reconciliation(store, since=since, objects=objects, now=now)
        parts.ring(first)
        click.echo(f"Waiting for a worker to do job {first.id}. Follow it with: {follow_command(first.id)}", err=True)
        listings = list(_listings(parts.database, first, progress, now=now))
        recorded = [job_id for listing in listings for job_id in listing.recorded]
        bar = progress.add_task("Doing what was missed", total=len(recorded))
        jobs = []
        for job_id in recorded:
            jobs.append(wait_for_end(parts.database, job_id, patience_s=following.PATIENCE_S))
            progress.advance(bar)
    _report(console, listings, jobs)
    sys.exit(1 if any(job.state is JobState.FAILED for job in jobs) else 0)


def _listings(database: Database, first: Job, progress: Progress, *, now: datetime) -> Iterator[Listed]:
    """Follow a chain of listing jobs. The bar shows how far back in time the lists have come."""
    bar = progress.add_task("Listing at Stripe", total=None)
    job_id: UUID | None = first.id
    while job_id is not None:
        job = exit_unless_done(wait_for_end(database, job_id, patience_s=following.PATIENCE_S))
        listing: Listed = job.kind.read_result(job)
        yield listing
        job_id = listing.next
        period_s = (now - listing.since).total_seconds()
        done_s = period_s if job_id is None or listing.reached is None else now.timestamp() - listing.reached
        progress.update(bar, total=period_s, completed=done_s, description=f"Listing at Stripe {listing.stream or ''}")


def _report(console: Console, listings: list[Listed], jobs: list[Job]) -> None:
    listed = sum(listing.listed for listing in listings)
    table = Table("What", "Count", title="Reconciliation")
    table.add_row("listed at Stripe", str(listed))
    table.add_row("not known here before", str(len(jobs)))
    for state, count in sorted(Counter(job.state for job in jobs).items()):
        table.add_row(f"  {state.value}", str(count))
    console.print(table)
    for job in jobs:
        if job.state is JobState.FAILED:
            console.print(f"{job.id} {job.key}: {(job.problem or {}).get('detail')}", style="red", markup=False)
