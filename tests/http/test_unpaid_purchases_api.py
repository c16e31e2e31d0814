"""Unpaid purchases, as clients see it: too many of a user are refused."""

from typing import Final

from domain.store import Database
from tests.support.http import Api
from tests.support.purchases import offer

PURCHASE: Final = "/credits/purchase"


def test_too_many_unpaid_purchases_are_refused_with_the_reason_and_when_to_ask_again(
    api: Api, database: Database
) -> None:
    anna, body = api.user(), {"packageId": str(offer(database))}
    started = [anna.post(PURCHASE, body, Idempotency_Key=f"k-{number}").status_code for number in range(10)]

    refused = anna.post(PURCHASE, body, Idempotency_Key="k-10")
    repeated = anna.post(PURCHASE, body, Idempotency_Key="k-0")

    assert set(started) == {202}
    assert (refused.status_code, refused.get_json()["code"]) == (429, "too_many_purchases")
    assert refused.get_json()["details"] == {"unpaidMax": 10, "periodSeconds": 3600}
    assert 3_000 < int(refused.headers["Retry-After"]) <= 3_600
    assert repeated.status_code == 202
