"""Golden examples: what moves credits at once, asked for twice with one key, is answered twice alike."""

from domain.store import Database
from tests.support.credits import give
from tests.support.forms import status_and_body
from tests.support.http import Caller


def twice(caller: Caller, method: str, path: str, body: str | None = None) -> tuple[int, dict[str, object]]:
    """Send a request two times with one key; the second answer is the first, and says so."""
    kind = "application/json" if body else None
    headers = {"Idempotency-Key": f"key-of-{path}"}

    first = caller.call(method, path, data=body, content_type=kind, headers=headers)
    again = caller.call(method, path, data=body, content_type=kind, headers=headers)

    assert status_and_body(again) == status_and_body(first)
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    return status_and_body(first)


def test_a_gift_made_and_cancelled_twice(database: Database, anna: Caller) -> None:
    give(database, "anna", 100)

    status, gift = twice(anna, "POST", "/gifts", '{"totalCredits": 50}')
    cancelled = twice(anna, "DELETE", f"/gifts/{gift['id']}")

    assert (status, gift["status"]) == (201, "active")
    assert cancelled == (200, {"success": True, "refundedCredits": 50})


def test_a_reservation_made_and_ended_twice(database: Database, mana_auth: Caller) -> None:
    give(database, "anna", 100)
    base = "/internal/credits"

    _, hold = twice(mana_auth, "POST", f"{base}/reserve", '{"userId": "anna", "amount": 30, "reason": "Research"}')
    commit = f'{{"reservationId": "{hold["reservationId"]}"}}'
    twice(mana_auth, "POST", f"{base}/commit", commit)
    second_hold = mana_auth.post(f"{base}/reserve", {"userId": "anna", "amount": 20, "reason": "Research"}).get_json()
    release = f'{{"reservationId": "{second_hold["reservationId"]}"}}'
    released = twice(mana_auth, "POST", f"{base}/refund-reservation", release)

    assert hold["balance"] == 70
    assert released == (200, {"success": True, "balance": 70})


def test_a_grant_made_twice_says_so_in_its_body_as_well(mana_auth: Caller) -> None:
    body = {"userId": "anna", "amount": 25, "reason": "signup_bonus", "referenceId": "signup-1"}

    first = mana_auth.post("/internal/credits/grant", body)
    again = mana_auth.post("/internal/credits/grant", body)

    assert status_and_body(again) == (200, first.get_json() | {"alreadyGranted": True})
    assert again.headers["Idempotency-Replayed"] == "true"
