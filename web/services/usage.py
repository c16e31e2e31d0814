"""A user's usage, for other services."""

from domain.units import UserId
from web.http import auth
from web.http.api import Api
from web.shared.usage import UsageAnswer, UsageQuery, read_usage

api = Api("services_usage", auth.service, prefix="/api/v1/internal")


@api.operation("GET", "/credits/usage/<user_id:user_id>", answers=UsageAnswer)
def get_usage_of_user(user_id: UserId, query: UsageQuery) -> UsageAnswer:
    """Read what a user spent per app or UTC day."""
    return read_usage(user_id, query)
