"""Options and types of arguments that several commands take."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

import click

from domain.operations.reconciliation import EVENTS_KEPT
from domain.rules.acts import WHY_MAX
from domain.rules.instants import check_instant
from domain.rules.job_kinds import KINDS, kind_named
from domain.rules.job_search import age_s
from domain.rules.jobs import JobState
from domain.rules.texts import BadText, check_storable, clean_name, clean_text
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
            moment = now - timedelta(seconds=age_s(value)) if value[-1:] in "mhd" else _read(value)
        except ValueError:
            self.fail(f"{value!r} is no time, and no age such as 90m, 24h or 7d", param, ctx)
        if not now - EVENTS_KEPT <= moment <= now:
            self.fail(f"Stripe lists the last {EVENTS_KEPT.days} days", param, ctx)
        return moment


def _read(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return check_instant(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


class Reason(click.ParamType[str]):
    """Why something is done, in a few words."""

    name = "why"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read a reason, or refuse it."""
        if not 1 <= len(value) <= WHY_MAX:
            self.fail(f"must be 1 to {WHY_MAX} characters", param, ctx)
        return clean_text(value)


class UserIdText(click.ParamType[str]):
    """A user id: an opaque text of 1 to 128 characters."""

    name = "user"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read a user id, or refuse it."""
        if not 1 <= len(value) <= USER_ID_MAX:
            self.fail(f"must be 1 to {USER_ID_MAX} characters", param, ctx)
        try:
            return check_storable(value)
        except BadText as error:
            self.fail(str(error), param, ctx)


class SearchText(click.ParamType[str]):
    """A text to look for."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read a text that may be stored, or refuse it."""
        try:
            return check_storable(value)
        except BadText as error:
            self.fail(str(error), param, ctx)


class FreeText(click.ParamType[str]):
    """A name, a description or a reason: cleaned, in one line, and never refused."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ARG002
        """Clean a text."""
        return clean_name(value)


class KindChoice(click.Choice[str]):
    """A kind of job; earlier spellings are read too."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read the name of a kind, or refuse it."""
        return super().convert(kind_named(str(value)).name, param, ctx)


json_option: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
yes_option: Final = click.option("--yes", is_flag=True, help="Do not ask.")
why_option: Final = click.option("--why", default="", type=FreeText(), help="Why; it is recorded.")

_JOB_FILTERS: Final = (
    click.option("--state", type=click.Choice([state.value for state in JobState]), help="State of the jobs."),
    click.option("--kind", type=KindChoice(list(KINDS)), help="Kind of the jobs."),
    click.option("--user", "user_id", type=SearchText(), help="User id."),
    click.option("--error", type=SearchText(), help="Class of the last error, or code of the problem."),
    click.option("--older-than", "older_than_s", type=Age(), help="Recorded longer ago than this: 30s, 15m, 2h, 3d."),
    click.option("--text", type=SearchText(), help="Part of the message, key or payload."),
)


def job_filter_options(command: F) -> F:
    """Give a command the options that select jobs."""
    for option in reversed(_JOB_FILTERS):
        command = option(command)
    return command
