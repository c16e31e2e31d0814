"""Usage for users and services: what a user spent per app or UTC day."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final

from pydantic import Field, WithJsonSchema

from domain.rules.usage import DAYS_MAX, GroupBy
from domain.store import usage as usage_rows
from domain.units import UserId
from web.http.models import Day, Model
from web.http.parts import reading
from web.http.problems import BadRequest

DEFAULT_DAYS: Final = 30


class UsageQuery(Model):
    """Which UTC days, from `from` to before `to`, and how to group. By default the last 30 days, today included."""

    from_: Annotated[Day | None, Field(alias="from")] = None
    to: Day | None = None
    group_by: Annotated[GroupBy, Field(strict=False)] = GroupBy.APP


class UsageItem(Model):
    """What was spent in an app, or on a day; `uses` counts the transactions."""

    app_id: str | None
    day: date | None
    credits: int
    uses: int


class UsageAnswer(Model):
    """What was spent on the days from `from` to before `to`."""

    from_: Annotated[date, Field(alias="from"), WithJsonSchema({"type": "string", "format": "date"})]
    to: date
    group_by: GroupBy
    total_credits: int
    total_uses: int
    items: list[UsageItem]


def read_usage(user_id: UserId, query: UsageQuery) -> UsageAnswer:
    """Read what a user spent.

    Raises:
        BadRequest: the days are in the wrong order, or more than a year.
    """
    to_day = query.to or datetime.now(UTC).date() + timedelta(days=1)
    from_day = query.from_ or to_day - timedelta(days=DEFAULT_DAYS)
    if not 0 < (to_day - from_day).days <= DAYS_MAX:
        errors = [{"field": "from", "message": f"must be before `to`, by at most {DAYS_MAX} days"}]
        raise BadRequest("The query is not valid", errors=errors)
    with reading(user_id) as reader:
        usage = usage_rows.read(reader, user_id, from_day=from_day, to_day=to_day, group_by=query.group_by)
    return UsageAnswer(
        from_=from_day,
        to=to_day,
        group_by=query.group_by,
        total_credits=sum(item.credits for item in usage),
        total_uses=sum(item.uses for item in usage),
        items=[UsageItem.model_validate(item) for item in usage],
    )
