"""What the golden examples share: the forms of values that are new in every answer, and reading answers."""

import re
from typing import Any

from werkzeug.test import TestResponse


class AnyText:
    """Equals every text of a form."""

    def __init__(self, form: str) -> None:
        self.form = form

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and re.fullmatch(self.form, other) is not None

    def __hash__(self) -> int:
        return hash(self.form)

    def __repr__(self) -> str:
        return f"<{self.form}>"


ID = AnyText(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
TIME = AnyText(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
CODE = AnyText(r"[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){3}")
LINK = AnyText(r"https://credits\.example/g/[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){3}")
CURSOR = AnyText(r"[0-9A-Za-z_-]{2,200}")
SECONDS = AnyText(r"[1-9][0-9]?")


def status_and_body(answer: TestResponse) -> tuple[int, Any]:
    """Read status and body of an answer, which must say that it is JSON, or a problem."""
    assert answer.content_type == ("application/json" if answer.status_code < 400 else "application/problem+json")
    return answer.status_code, answer.get_json()


def problem(status: int, code: str, title: str, detail: str, **more: Any) -> tuple[int, dict[str, Any]]:
    """Write status and body of a refusal: RFC 9457, and the members that older clients read."""
    members = {
        "type": f"urn:mana-credits:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "statusCode": status,
        "message": detail,
    }
    return status, members | more


def insufficient_credits(*, required: int, available: int) -> dict[str, Any]:
    """Write the body of the refusal of a user who has too few credits."""
    details = {"required": required, "available": available}
    return problem(402, "insufficient_credits", "Insufficient credits", "Insufficient credits", details=details)[1]


def transaction(**members: Any) -> dict[str, Any]:
    """Write a row of Anna's ledger that has ended, as the API shows it."""
    row = {"id": ID, "userId": "anna", "status": "completed", "metadata": None, "idempotencyKey": None}
    return row | {"createdAt": TIME, "completedAt": TIME} | members


def grant_to_begin_with(amount: int) -> dict[str, Any]:
    """Write the row with which `tests.support.credits.give` gives Anna her first credits."""
    return transaction(
        type="grant", amount=amount, balanceBefore=0, balanceAfter=amount, appId="test", description="To begin with"
    )


def thirty_used(metadata: dict[str, Any]) -> dict[str, Any]:
    """Write the answer to the use of 30 of Anna's 100 credits."""
    used = transaction(
        type="usage",
        amount=-30,
        balanceBefore=100,
        balanceAfter=70,
        appId="chat",
        description="A question",
        metadata=metadata,
    )
    return {
        "success": True,
        "transaction": used,
        "newBalance": {"balance": 70, "totalEarned": 100, "totalSpent": 30},
    }


def package(name: str, *, amount: int, price: int, order: int) -> dict[str, Any]:
    """Write a package that `tests.support.purchases.offer` put on sale."""
    return {
        "id": ID,
        "name": name,
        "description": f"{amount} credits",
        "credits": amount,
        "priceEuroCents": price,
        "stripePriceId": None,
        "active": True,
        "sortOrder": order,
        "metadata": None,
    }
