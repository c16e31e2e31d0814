"""`mana-credits jobs`: see what failed, know why, put it right."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from uuid import UUID

import click
import msgspec
from rich.console import Console

from domain.errors import Refusal
from domain.operations import job_repair
from domain.rules.acts import WHY_MAX
from domain.rules.job_kinds import KINDS
from domain.rules.job_repair import retryable
from domain.rules.job_search import JobFilter, age_s, failed_only
from domain.rules.jobs import JobState
from domain.store import Database, job_search
from domain.store import jobs as job_rows
from domain.units import USER_ID_MAX
from ops import job_tables
from ops.operator import operator
from process.parts import command_parts

POLL_S: Final = 0.5

F = TypeVar("F", bound=Callable[..., Any])


class Age(click.ParamType[int]):
    """An age such as `15m`, in seconds."""

    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read an age."""
        try:
            return age_s(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Reason(click.ParamType[str]):
    """Why something is done, in few words."""

    name = "why"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read a reason."""
        if not 1 <= len(value) <= WHY_MAX or "\x00" in value:
            self.fail(f"must be 1 to {WHY_MAX} characters", param, ctx)
        return str(value)


class UserIdText(click.ParamType[str]):
    """A user id: an opaque text of 1 to 128 characters."""

    name = "user"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read a user id."""
        if not 1 <= len(value) <= USER_ID_MAX or "\x00" in value or not _is_text(value):
            self.fail(f"must be 1 to {USER_ID_MAX} characters", param, ctx)
        return str(value)


def _is_text(value: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in value)


_FILTERS: Final = (
    click.option("--state", type=click.Choice([state.value for state in JobState]), help="State of the jobs."),
    click.option("--kind", type=click.Choice(list(KINDS)), help="Kind of the jobs."),
    click.option("--user", "user_id", help="User id."),
    click.option("--error", help="Class of the last error, or code of the problem."),
    click.option("--older-than", "older_than_s", type=Age(), help="Recorded longer ago than this: 30s, 15m, 2h, 3d."),
    click.option("--text", help="Part of the message, key or payload."),
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
why_option = click.option("--why", default="", type=str, help="Why; it is written down.")


def filtered(command: F) -> F:
    """Give a command the options that say which jobs are meant."""
    for option in reversed(_FILTERS):
        command = option(command)
    return command


@click.group()
def jobs() -> None:
    """See and repair jobs."""


@jobs.command("list")
@filtered
@click.option("--limit", type=click.IntRange(1, 1_000), default=50, help="Most jobs to list; default 50.")
@json_option
def list_jobs(*, limit: int, as_json: bool, **options: Any) -> None:
    """List jobs, newest first."""
    with command_parts() as parts, parts.database.read() as reader:
        found = job_search.find(reader, _filter(options), limit=limit)
    if as_json:
        print(json.dumps([job_tables.job_json(one) for one in found], default=str))
    else:
        Console().print(job_tables.job_table(found))


@jobs.command()
@click.argument("job_id", type=click.UUID)
@json_option
def show(*, job_id: UUID, as_json: bool) -> None:
    """Show everything about a job: its tries, the ledger rows it is linked to, what was done with it."""
    with _refusals(), command_parts() as parts, parts.database.read() as reader:
        sheet = job_search.sheet(reader, job_id)
    if as_json:
        print(json.dumps(job_tables.sheet_json(sheet), default=str))
    else:
        job_tables.print_sheet(sheet, Console())


@jobs.command()
@filtered
@json_option
def stats(*, as_json: bool, **options: Any) -> None:
    """Count jobs, and group the failed ones (or those that are meant) by what went wrong."""
    with command_parts() as parts, parts.database.read() as reader:
        states = job_search.states(reader)
        causes = job_search.causes(reader, failed_only(_filter(options)))
    if as_json:
        counted = [{"kind": kind, "state": state, "count": count} for (kind, state), count in states.items()]
        print(json.dumps({"states": counted, "causes": [job_tables.cause_json(cause) for cause in causes]}))
        return
    console = Console()
    console.print(job_tables.state_table(states))
    console.print(job_tables.cause_table(causes))


@jobs.command()
@click.argument("job_ids", type=click.UUID, nargs=-1, required=True)
@why_option
@json_option
def retry(*, job_ids: tuple[UUID, ...], why: str, as_json: bool) -> None:
    """Set failed or rejected jobs to pending, each with fresh budgets."""
    retried = []
    with _refusals(), command_parts() as parts:
        for job_id in job_ids:
            with parts.database.begin() as store:
                retried.append(job_repair.retry_job(store, job_id, who=operator(), why=why, now=datetime.now(UTC)))
        parts.ring(*retried)
    if as_json:
        print(json.dumps([{"jobId": str(job.id), "status": job.state.value} for job in retried]))
    else:
        print(f"{len(retried)} jobs are pending again")


@jobs.command()
@click.argument("job_ids", type=click.UUID, nargs=-1, required=True)
@click.option("--why", type=Reason(), required=True, help="Why they are given up; it is written down.")
@json_option
def discard(*, job_ids: tuple[UUID, ...], why: str, as_json: bool) -> None:
    """Give failed or rejected jobs up for ever."""
    with _refusals(), command_parts() as parts, parts.database.begin() as store:
        for job_id in job_ids:
            job_repair.discard_job(store, job_id, who=operator(), why=why, now=datetime.now(UTC))
    if as_json:
        print(json.dumps([{"jobId": str(job_id), "status": JobState.DISCARDED.value} for job_id in job_ids]))
    else:
        print(f"{len(job_ids)} jobs discarded")


@jobs.command("retry-all")
@filtered
@click.option("--dry-run", is_flag=True, help="Only tell what matches.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--wait", is_flag=True, help="Wait for the run; exits 1 if it stopped itself.")
@why_option
@json_option
def retry_all(*, dry_run: bool, yes: bool, wait: bool, why: str, as_json: bool, **options: Any) -> None:
    """Retry every failed job that is meant, 20 a second; stops itself when more than 20 % fail again."""
    with _refusals(), command_parts() as parts:
        wanted = retryable(_filter(options))
        with parts.database.read() as reader:
            matched, causes = job_search.count(reader, wanted), job_search.causes(reader, wanted)
        if not as_json:
            Console().print(job_tables.cause_table(causes, title=f"{matched} jobs match"))
        answer: dict[str, Any] = {"matched": matched, "causes": [job_tables.cause_json(cause) for cause in causes]}
        if matched and not dry_run and (yes or click.confirm(f"Retry these {matched} jobs?", err=True)):
            with parts.database.begin() as store:
                run = job_repair.retry_all(store, wanted, who=operator(), why=why, now=datetime.now(UTC))
            parts.ring(run)
            answer["runId"] = str(run.id)
            if not as_json:
                print(f"Run {run.id} retries them; follow it with: mana-credits jobs show {run.id}")
            if wait:
                answer |= _wait_for(parts.database, run.id, quiet=as_json)
    if as_json:
        print(json.dumps(answer, default=str))
    sys.exit(1 if answer.get("stopped") else 0)


def _wait_for(database: Database, run_id: UUID, *, quiet: bool) -> dict[str, Any]:
    """Wait until a run has ended; gives its result."""
    with Console(stderr=True, quiet=quiet).status("Retrying …"):
        while True:
            with database.read() as reader:
                run = job_rows.get(reader, run_id, owner=None)
            if run.state is not JobState.PENDING:
                break
            time.sleep(POLL_S)
    result = dict(run.result or {"stopped": True, "problem": run.problem})
    if not quiet:
        ending = "stopped itself: too many failed again" if result["stopped"] else "is through"
        print(f"The run {ending}: {result.get('retried')} retried, {result.get('failing')} failed again")
    return result


def _filter(options: dict[str, Any]) -> JobFilter:
    """Read the options that `filtered` gives a command; those that were not given do not matter."""
    return msgspec.convert({name: value for name, value in options.items() if value is not None}, JobFilter)


@contextmanager
def _refusals() -> Iterator[None]:
    """End the command with a refusal's words."""
    try:
        yield
    except Refusal as refusal:
        sys.exit(refusal.detail)
