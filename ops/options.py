"""Options and types of arguments that several commands take."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

import click

from domain.operations.reconciliation import EVENTS_KEPT
from domain.rules.acts import WHY_MAX
from domain.rules.job_kinds import KINDS
from domain.rules.job_search import age_s
from domain.rules.jobs import JobState
from domain.units import USER_ID_MAX

F = TypeVar("F", bound=Callable[..., Any])


class Age(click.ParamType[int]):
    """An age such as `15m`, in seconds."""

    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read an age, or refuse it."""
        try:
            return age_s(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Moment(click.ParamType[datetime]):
    """A moment: an ISO date or time (UTC unless it has another zone), or an age such as `90m`, `24h`, `7d`."""

    name = "moment"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read a moment in the time for which Stripe keeps events, or refuse it."""
        now = datetime.now(UTC)
        try:
            moment = now - timedelta(seconds=age_s(value)) if value[-1:] in "mhd" else datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no time, and no age such as 90m, 24h or 7d", param, ctx)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if not now - EVENTS_KEPT <= moment <= now:
            self.fail(f"Stripe lists the last {EVENTS_KEPT.days} days", param, ctx)
        return moment


class Reason(click.ParamType[str]):
    """Why something is done, in a few words."""

    name = "why"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read a reason, or refuse it."""
        if not 1 <= len(value) <= WHY_MAX or "\x00" in value:
            self.fail(f"must be 1 to {WHY_MAX} characters", param, ctx)
        return str(value)


class UserIdText(click.ParamType[str]):
    """A user id: an opaque text of 1 to 128 characters."""

    name = "user"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read a user id, or refuse it."""
        if not 1 <= len(value) <= USER_ID_MAX or "\x00" in value or not _is_text(value):
            self.fail(f"must be 1 to {USER_ID_MAX} characters", param, ctx)
        return str(value)


def _is_text(value: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in value)


json_option: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
yes_option: Final = click.option("--yes", is_flag=True, help="Do not ask.")
why_option: Final = click.option("--why", default="", type=str, help="Why; it is recorded.")

_JOB_FILTERS: Final = (
    click.option("--state", type=click.Choice([state.value for state in JobState]), help="State of the jobs."),
    click.option("--kind", type=click.Choice(list(KINDS)), help="Kind of the jobs."),
    click.option("--user", "user_id", help="User id."),
    click.option("--error", help="Class of the last error, or code of the problem."),
    click.option("--older-than", "older_than_s", type=Age(), help="Recorded longer ago than this: 30s, 15m, 2h, 3d."),
    click.option("--text", help="Part of the message, key or payload."),
)


def job_filter_options(command: F) -> F:
    """Give a command the options that select jobs."""
    for option in reversed(_JOB_FILTERS):
        command = option(command)
    return command
