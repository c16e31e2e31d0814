"""Lists: newest first, by limit and offset, and by the cursor through a history that grows meanwhile."""

import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
from werkzeug.test import TestResponse

from domain.store import Database
from tests.support.credits import give
from tests.support.http import Api, Caller, problem_of
from tests.support.purchases import offer, start_purchase
from tests.support.times import NOW
from web.http.lists import encode_cursor

LINK = re.compile(r'</api/v1(/[a-z/]+\?[^>]+)>; rel="next"')


def amounts(answer: TestResponse) -> list[int]:
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return [transaction["amount"] for transaction in answer.get_json()]


def next_of(answer: TestResponse) -> str | None:
    link = LINK.fullmatch(answer.headers.get("Link", ""))
    return link[1] if link else None


def walk(caller: Caller, path: str, *, between: Any = None) -> list[dict[str, Any]]:
    """Follow the links to the end, calling `between` before each next page."""
    items: list[dict[str, Any]] = []
    where: str | None = path
    while where is not None:
        answer = caller.get(where)
        items += answer.get_json()
        where = next_of(answer)
        if between is not None:
            between()
    return items


@pytest.fixture
def history(database: Database) -> list[int]:
    """A history of 120 transactions of 1 to 120 credits, newest first."""
    for amount in range(1, 121):
        give(database, "anna", amount)
    return list(range(120, 0, -1))


def test_a_list_has_fifty_entries_by_default_newest_first(api: Api, history: list[int]) -> None:
    assert amounts(api.user().get("/credits/transactions")) == history[:50]


@pytest.mark.parametrize(("query", "first", "last"), [
    ("limit=1", 0, 1),
    ("limit=100", 0, 100),
    ("limit=10&offset=0", 0, 10),
    ("limit=10&offset=115", 115, 120),
    ("offset=100", 100, 120),
    ("offset=120", 120, 120),
    ("offset=1000000", 120, 120),
    ("limit=010", 0, 10),
    ("limit=5&unknown=1", 0, 5),
])  # fmt: skip
def test_limit_and_offset_cut_the_list(api: Api, history: list[int], query: str, first: int, last: int) -> None:
    assert amounts(api.user().get(f"/credits/transactions?{query}")) == history[first:last]


def test_a_full_page_links_to_the_next_and_the_last_page_to_none(api: Api, history: list[int]) -> None:
    full = api.user().get("/credits/transactions?limit=100")
    where = next_of(full)
    assert where is not None

    rest = api.user().get(where)

    assert where.startswith("/credits/transactions?limit=100&cursor=")
    assert amounts(rest) == history[100:]
    assert "Link" not in rest.headers


def test_an_empty_list_links_nowhere(api: Api) -> None:
    answer = api.user().get("/credits/transactions")

    assert (answer.get_json(), "Link" in answer.headers) == ([], False)


def test_the_cursor_goes_through_250_rows_while_rows_are_added(api: Api, database: Database) -> None:
    for amount in range(1, 251):
        give(database, "anna", amount)

    transactions = walk(api.user(), "/credits/transactions?limit=30", between=lambda: give(database, "anna", 999))

    assert [transaction["amount"] for transaction in transactions] == list(range(250, 0, -1))


def test_the_offset_counts_from_the_cursor(api: Api, history: list[int]) -> None:
    where = next_of(api.user().get("/credits/transactions?limit=10"))

    assert amounts(api.user().get(f"{where}&offset=5")) == history[15:25]


def test_a_cursor_of_one_user_shows_another_nothing_of_theirs(api: Api, history: list[int], database: Database) -> None:
    give(database, "ben", 7)
    where = next_of(api.user("anna").get("/credits/transactions?limit=10"))
    assert where is not None

    assert amounts(api.user("ben").get(where)) == [7]
    assert history


@pytest.fixture
def mixed(api: Api, database: Database) -> list[str]:
    """A grant of 500, then by turns a use in the apps chat and draw; the moments of the uses, oldest first."""
    give(database, "anna", 500)
    moments = []
    for number in range(1, 7):
        body = {"amount": number, "appId": "chat" if number % 2 else "draw", "description": "A use"}
        answer = api.user().post("/credits/use", body)
        moments.append(answer.get_json()["transaction"]["createdAt"])
    return moments


def test_the_history_is_filtered_by_type_and_app(api: Api, mixed: list[str]) -> None:
    assert amounts(api.user().get("/credits/transactions?type=grant")) == [500]
    assert amounts(api.user().get("/credits/transactions?appId=chat")) == [-5, -3, -1]
    assert amounts(api.user().get("/credits/transactions?type=usage&appId=draw&limit=2")) == [-6, -4]
    assert amounts(api.user().get("/credits/transactions?type=usage&appId=nobody")) == []
    assert mixed


def test_the_history_is_filtered_from_a_moment_to_before_another(api: Api, mixed: list[str]) -> None:
    def between(**filters: str) -> list[int]:
        return amounts(api.user().get(f"/credits/transactions?type=usage&{urlencode(filters)}"))

    # Moments are told in milliseconds: what happened in one and the same may be on either side.
    later = [moment for moment in mixed if moment > mixed[2]]
    assert len(between(**{"from": "2020-01-01T00:00:00+02:00"})) == 6
    assert between(to="2020-01-01T00:00:00Z") == []
    assert len(between(**{"from": mixed[2]})) + len(between(to=mixed[2])) == 6
    assert len(between(**{"from": mixed[2]})) >= len(later)


def test_the_next_page_keeps_the_filters(api: Api, mixed: list[str]) -> None:
    query = urlencode({"type": "usage", "appId": "chat", "from": "2020-01-01T00:00:00.123456Z", "limit": 2})

    transactions = walk(api.user(), f"/credits/transactions?{query}")

    assert [transaction["amount"] for transaction in transactions] == [-5, -3, -1]
    link = api.user().get(f"/credits/transactions?{query}").headers["Link"]
    assert {"type=usage", "appId=chat", "from=2020-01-01T00%3A00%3A00.123456Z"} <= set(re.split("[?&>]", link))
    assert mixed


@pytest.mark.parametrize("query", [
    "type=", "type=theft", "appId=", f"appId={'x' * 65}", "appId=a%00b", "from=yesterday", "from=2026-01-01",
    "to=2026-01-01T00:00:00", "to=99999999999999999999", "from=9999-12-31T23:59:59-23:59",
    "to=0001-01-01T00:00:00%2B23:59", "from=9999-12-31T23:59:59Z",
])  # fmt: skip
def test_a_filter_that_is_none_is_refused(api: Api, query: str) -> None:
    answer = api.user().get(f"/credits/transactions?{query}")

    assert problem_of(answer, 400)["errors"][0]["field"] == query.partition("=")[0]


def test_purchases_of_one_instant_are_walked_without_gap_or_repeat(api: Api, database: Database) -> None:
    package_id = offer(database)
    purchase_ids: list[UUID] = []
    with database.begin() as store:
        for number in range(45):
            at = NOW + timedelta(days=2 * (number // 9))
            purchase_ids.append(start_purchase(store, package_id=package_id, at=at).purchase_id)

    def buy() -> None:
        with database.begin() as store:
            start_purchase(store, package_id=package_id, at=NOW + timedelta(days=20))

    purchases = walk(api.user(), "/credits/purchases?limit=10", between=buy)

    assert len(purchases) == 45
    assert {UUID(purchase["id"]) for purchase in purchases} == set(purchase_ids)
    assert [purchase["createdAt"] for purchase in purchases] == sorted(
        (purchase["createdAt"] for purchase in purchases), reverse=True
    )


def test_purchases_take_limit_and_offset(api: Api, database: Database) -> None:
    package_id = offer(database)
    with database.begin() as store:
        purchase_ids = [
            str(start_purchase(store, package_id=package_id, at=NOW + timedelta(seconds=number)).purchase_id)
            for number in range(5)
        ]

    purchases = api.user().get("/credits/purchases?limit=2&offset=1").get_json()

    assert [purchase["id"] for purchase in purchases] == [purchase_ids[3], purchase_ids[2]]


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59"])
def test_a_cursor_at_an_end_of_time_is_refused(api: Api, moment: str) -> None:
    cursor = encode_cursor(f"{moment} 019aa5d0-0000-7000-8000-000000000000")

    answer = api.user().get(f"/credits/purchases?cursor={cursor}")

    assert problem_of(answer, 400)["errors"][0]["field"] == "cursor"
