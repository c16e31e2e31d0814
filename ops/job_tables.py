"""Jobs as tables and as JSON, for the command line."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from domain.rules.job_search import Cause, FoundJob
from domain.rules.ledger import Transaction
from domain.store.job_search import JobSheet

HOURS_SHOWN = 3


def moment(at: datetime | None) -> str:
    """Format a time for people: UTC, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if at else "—"


def job_json(found: FoundJob) -> dict[str, Any]:
    """Build the JSON of a job, with the names of the API."""
    job = found.job
    return {
        "jobId": str(job.id),
        "kind": job.kind.name,
        "key": job.key,
        "userId": job.user_id,
        "status": job.state.value,
        "attempts": job.attempts,
        "error": found.error,
        "message": found.message,
        "problem": job.problem,
        "createdAt": job.created_at.isoformat(),
        "finishedAt": job.finished_at.isoformat() if job.finished_at else None,
    }


def cause_json(cause: Cause) -> dict[str, Any]:
    """Build the JSON of a group of jobs, with the names of the API."""
    return {
        "kind": cause.kind.name,
        "state": cause.state.value,
        "error": cause.error,
        "message": cause.message,
        "count": cause.count,
        "firstAt": cause.first_at.isoformat(),
        "lastAt": cause.last_at.isoformat(),
        "hours": dict(cause.hours),
        "sample": str(cause.sample),
    }


def sheet_json(sheet: JobSheet) -> dict[str, Any]:
    """Build the JSON of everything about a job."""
    return {
        **job_json(sheet.found),
        "result": sheet.found.job.result,
        "tries": [vars(attempt) for attempt in sheet.attempts],
        "transactions": [vars(row) for row in sheet.transactions],
        "stripeIds": list(sheet.stripe_ids),
        "acts": [vars(act) for act in sheet.acts],
    }


def job_table(rows: Sequence[FoundJob], *, title: str | None = None) -> Table:
    """Build a table of jobs."""
    table = Table("Recorded (UTC)", "Kind", "State", "Attempts", "User", "Error", "Message", "Id", title=title)
    for row in rows:
        job = row.job
        message = escape((row.message or "")[:80])
        table.add_row(
            moment(job.created_at),
            job.kind.name,
            job.state.value,
            str(job.attempts),
            escape(job.user_id or "—"),
            escape(row.error or "—"),
            message,
            str(job.id),
        )
    return table


def state_table(states: Mapping[tuple[str, str], int]) -> Table:
    """Build a table of how many jobs of each kind are in each state."""
    table = Table("Kind", "State", "Jobs", title="Jobs")
    for (kind, state), count in states.items():
        table.add_row(kind, state, str(count))
    return table


def cause_table(causes: Sequence[Cause], *, title: str = "What went wrong") -> Table:
    """Build a table of groups of jobs: their errors, their busiest hours, and one job of each."""
    table = Table("Jobs", "Kind", "Error", "Message", "Hours (UTC)", "For instance", title=title)
    for cause in causes:
        busiest = sorted(cause.hours.items(), key=lambda hour: -hour[1])[:HOURS_SHOWN]
        hours = "\n".join(f"{hour[5:16]} {count}" for hour, count in busiest)
        more = f"\n… {len(cause.hours) - HOURS_SHOWN} more" if len(cause.hours) > HOURS_SHOWN else ""
        table.add_row(
            str(cause.count),
            cause.kind.name,
            escape(cause.error),
            escape(cause.message),
            hours + more,
            str(cause.sample),
        )
    return table


def transaction_table(transactions: Sequence[Transaction], *, title: str = "Ledger") -> Table:
    """Build a table of ledger rows."""
    table = Table("When (UTC)", "User", "Type", "Amount", "After", "App", "Description", "Id", title=title)
    for row in transactions:
        table.add_row(
            moment(row.created_at),
            escape(row.user_id),
            row.type.value,
            f"{row.amount:+d}",
            str(row.balance_after),
            escape(row.app_id),
            escape(row.description[:60]),
            str(row.id),
        )
    return table


def print_sheet(sheet: JobSheet, console: Console) -> None:
    """Print everything about a job."""
    job = sheet.found.job
    facts = Table(show_header=False, title=f"Job {job.id}")
    for name, value in {
        "Kind": job.kind.name,
        "State": job.state.value,
        "Key": job.key,
        "User": job.user_id or "—",
        "Recorded": moment(job.created_at),
        "Ended": moment(job.finished_at),
        "Request": job.request_id or "—",
        "Problem": json.dumps(job.problem) if job.problem else "—",
        "Result": json.dumps(job.result) if job.result else "—",
        "At Stripe": ", ".join(sheet.stripe_ids) or "—",
    }.items():
        facts.add_row(name, escape(value))
    console.print(facts)
    if sheet.transactions:
        console.print(transaction_table(sheet.transactions, title="Linked ledger rows"))
    for number, attempt in enumerate(sheet.attempts, 1):
        what = f"{attempt.error_class}: {attempt.message}"
        head = f"Attempt {number}, {moment(attempt.failed_at)}, {attempt.worker}: {what}"
        console.print(head, style="bold", markup=False)
        console.print(attempt.traceback, markup=False, highlight=False)
    for act in sheet.acts:
        console.print(f"{moment(act.at)} {act.act.value} by {act.who}: {act.why or '—'}", markup=False)
