"""`mana-credits jobs`: find, inspect, retry and discard jobs."""

import sys
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import click
import msgspec

from domain.operations import job_repair
from domain.rules.job_repair import retryable
from domain.rules.job_search import JobFilter, failed_only
from domain.rules.jobs import JobState
from domain.store import Database, job_search
from ops import job_tables
from ops.command import exit_on_refusal, operator, print_json
from ops.following import follow_command, wait_for_end
from ops.options import Reason, job_filter_options, json_option, why_option, yes_option
from ops.terminal import terminal
from process.parts import command_parts


@click.group()
def jobs() -> None:
    """See and repair jobs."""


@jobs.command("list")
@job_filter_options
@click.option("--limit", type=click.IntRange(1, 1_000), default=50, help="Most jobs to list; default 50.")
@json_option
def list_jobs(*, limit: int, as_json: bool, **options: Any) -> None:
    """List jobs, newest first."""
    with command_parts() as parts, parts.database.read() as reader:
        rows = job_search.find(reader, _job_filter(options), limit=limit)
    if as_json:
        print_json([job_tables.job_json(row) for row in rows])
    else:
        terminal().print(job_tables.job_table(rows))


@jobs.command()
@click.argument("job_id", type=click.UUID)
@json_option
def show(*, job_id: UUID, as_json: bool) -> None:
    """Show everything about a job: its failed attempts, its ledger rows, what operators did with it."""
    with exit_on_refusal(), command_parts() as parts, parts.database.read() as reader:
        sheet = job_search.sheet(reader, job_id)
    if as_json:
        print_json(job_tables.sheet_json(sheet))
    else:
        job_tables.print_sheet(sheet, terminal())


@jobs.command()
@job_filter_options
@json_option
def stats(*, as_json: bool, **options: Any) -> None:
    """Count jobs, and group the failed ones (or those selected) by error."""
    with command_parts() as parts, parts.database.read() as reader:
        states = job_search.states(reader)
        causes = job_search.causes(reader, failed_only(_job_filter(options)))
    if as_json:
        counts = [{"kind": kind, "state": state, "count": count} for (kind, state), count in states.items()]
        print_json({"states": counts, "causes": [job_tables.cause_json(cause) for cause in causes]})
        return
    console = terminal()
    console.print(job_tables.state_table(states))
    console.print(job_tables.cause_table(causes))


@jobs.command()
@click.argument("job_ids", type=click.UUID, nargs=-1, required=True)
@why_option
@json_option
def retry(*, job_ids: tuple[UUID, ...], why: str, as_json: bool) -> None:
    """Set failed or rejected jobs to pending, each with all its attempts again."""
    retried = []
    with exit_on_refusal(), command_parts() as parts:
        for job_id in job_ids:
            with parts.database.begin() as store:
                retried.append(job_repair.retry_job(store, job_id, who=operator(), why=why, now=datetime.now(UTC)))
        parts.ring(*retried)
    if as_json:
        print_json([{"jobId": job.id, "status": job.state.value} for job in retried])
    else:
        print(f"{len(retried)} jobs are pending again")


@jobs.command()
@click.argument("job_ids", type=click.UUID, nargs=-1, required=True)
@click.option("--why", type=Reason(), required=True, help="Why they are discarded; it is recorded.")
@json_option
def discard(*, job_ids: tuple[UUID, ...], why: str, as_json: bool) -> None:
    """Discard failed or rejected jobs. They never run again."""
    with exit_on_refusal(), command_parts() as parts, parts.database.begin() as store:
        for job_id in job_ids:
            job_repair.discard_job(store, job_id, who=operator(), why=why, now=datetime.now(UTC))
    if as_json:
        print_json([{"jobId": job_id, "status": JobState.DISCARDED.value} for job_id in job_ids])
    else:
        print(f"{len(job_ids)} jobs discarded")


@jobs.command("retry-all")
@job_filter_options
@click.option("--dry-run", is_flag=True, help="Only show what matches.")
@yes_option
@click.option("--wait", is_flag=True, help="Wait for the run; exits 1 if it stopped itself.")
@why_option
@json_option
def retry_all(*, dry_run: bool, yes: bool, wait: bool, why: str, as_json: bool, **options: Any) -> None:
    """Retry every failed job that is selected, 20 a second. Stops itself when more than 20 % fail again."""
    with exit_on_refusal(), command_parts() as parts:
        job_filter = retryable(_job_filter(options))
        with parts.database.read() as reader:
            matched, causes = job_search.count(reader, job_filter), job_search.causes(reader, job_filter)
        if not as_json:
            terminal().print(job_tables.cause_table(causes, title=f"{matched} jobs match"))
        report: dict[str, Any] = {"matched": matched, "causes": [job_tables.cause_json(cause) for cause in causes]}
        if matched and not dry_run and (yes or click.confirm(f"Retry these {matched} jobs?", err=True)):
            with parts.database.begin() as store:
                run = job_repair.retry_all(store, job_filter, who=operator(), why=why, now=datetime.now(UTC))
            parts.ring(run)
            report["runId"] = str(run.id)
            if not as_json:
                print(f"Run {run.id} retries them. Follow it with: {follow_command(run.id)}")
            if wait:
                report |= _wait_for(parts.database, run.id, quiet=as_json)
    if as_json:
        print_json(report)
    sys.exit(1 if report.get("stopped") else 0)


def _wait_for(database: Database, run_id: UUID, *, quiet: bool) -> dict[str, Any]:
    """Wait until a run has ended; returns its result."""
    with terminal(stderr=True, quiet=quiet).status("Retrying …"):
        run = wait_for_end(database, run_id)
    result = dict(run.result or {"stopped": True, "problem": run.problem})
    if not quiet:
        ending = "stopped itself: too many failed again" if result["stopped"] else "has ended"
        print(f"The run {ending}: {result.get('retried')} retried, {result.get('failing')} failed again")
    return result


def _job_filter(options: dict[str, Any]) -> JobFilter:
    """Build the filter from the options of `job_filter_options`."""
    return msgspec.convert({name: value for name, value in options.items() if value is not None}, JobFilter)
