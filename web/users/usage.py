"""The price list of operations, and usage per app or UTC day."""

from flask import g

from domain.rules.prices import OPERATIONS, Category
from web.http import auth
from web.http.api import Api
from web.http.models import Model
from web.shared.usage import UsageAnswer, UsageQuery, read_usage

api = Api("users_usage", auth.user)


class PricedOperation(Model):
    """What one `unit` of an operation costs, in credits."""

    operation: str
    category: Category
    app: str
    credits: int
    unit: str


@api.operation("GET", "/credits/operations", answers=list[PricedOperation])
def list_operations() -> list[PricedOperation]:
    """Read the price list."""
    return [PricedOperation.model_validate(operation) for operation in OPERATIONS]


@api.operation("GET", "/credits/usage", answers=UsageAnswer)
def get_usage(query: UsageQuery) -> UsageAnswer:
    """Read what the user spent, per app or UTC day."""
    return read_usage(g.user.id, query)
