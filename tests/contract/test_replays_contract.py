"""Golden examples: what moves credits at once, asked for twice with one key, is answered twice alike."""

from domain.store import Database
from tests.conftest import give
from tests.contract.forms import told
from tests.http.client import Caller


def twice(caller: Caller, method: str, path: str, body: str | None = None) -> tuple[int, dict[str, object]]:
    """Send a request two times with one key; the second answer is the first, and says so."""
    kind = "application/json" if body else None
    headers = {"Idempotency-Key": f"key-of-{path}"}

    first = caller.call(method, path, data=body, content_type=kind, headers=headers)
    again = caller.call(method, path, data=body, content_type=kind, headers=headers)

    assert told(again) == told(first)
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    return told(first)


def test_a_gift_made_and_cancelled_twice(database: Database, anna: Caller) -> None:
    give(database, "anna", 100)

    status, gift = twice(anna, "POST", "/gifts", '{"totalCredits": 50}')
    cancelled = twice(anna, "DELETE", f"/gifts/{gift['id']}")

    assert (status, gift["status"]) == (201, "active")
    assert cancelled == (200, {"success": True, "refundedCredits": 50})


def test_a_reservation_made_and_ended_twice(database: Database, service: Caller) -> None:
    give(database, "anna", 100)
    base = "/internal/credits"

    _, one = twice(service, "POST", f"{base}/reserve", '{"userId": "anna", "amount": 30, "reason": "Research"}')
    commit = f'{{"reservationId": "{one["reservationId"]}"}}'
    twice(service, "POST", f"{base}/commit", commit)
    other = service.post(f"{base}/reserve", {"userId": "anna", "amount": 20, "reason": "Research"}).get_json()
    release = f'{{"reservationId": "{other["reservationId"]}"}}'
    released = twice(service, "POST", f"{base}/refund-reservation", release)

    assert one["balance"] == 70
    assert released == (200, {"success": True, "balance": 70})


def test_a_grant_made_twice_says_so_in_its_body_as_well(service: Caller) -> None:
    body = {"userId": "anna", "amount": 25, "reason": "signup_bonus", "referenceId": "signup-1"}

    first = service.post("/internal/credits/grant", body)
    again = service.post("/internal/credits/grant", body)

    assert told(again) == (200, first.get_json() | {"alreadyGranted": True})
    assert again.headers["Idempotency-Replayed"] == "true"
