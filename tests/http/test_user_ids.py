"""User ids: the same texts are users in tokens, bodies and paths."""

from typing import Any, Final
from urllib.parse import quote

import pytest

from tests.support.http import Api, problem_of

NO_IDS: Final = ["/", "a/b", "a/", "/a", "a//b", ".", "..", "../a", " ", "\t \u2003"]
IDS: Final = ["a", "user:1|2", "a b", "a?b#c", "a%2Fb", "a\\b", "...", ".a", "ä+é", "😀", "x" * 128]
BODIES: Final[list[tuple[str, dict[str, Any]]]] = [
    ("/internal/credits/init", {}),
    ("/internal/credits/use", {"amount": 1, "appId": "chat", "description": "d"}),
    ("/internal/credits/refund", {"amount": 1, "description": "d"}),
    ("/internal/credits/grant", {"amount": 1, "reason": "r", "referenceId": "r"}),
    ("/internal/credits/reserve", {"amount": 1, "reason": "r"}),
    ("/internal/gifts/redeem-pending", {"email": "a@x.de"}),
]
SERVICE_PATHS: Final = ["/internal/credits/balance/{}", "/internal/sync/status/{}", "/internal/credits/usage/{}"]


@pytest.mark.parametrize("user_id", NO_IDS)
def test_a_text_that_cannot_stand_in_a_path_is_no_user_anywhere(api: Api, user_id: str) -> None:
    service, admin, in_path = api.service(), api.user("root", role="admin"), quote(user_id, safe="")

    problem_of(api.user(user_id).get("/credits/balance"), 401, "unauthorized")
    for path, body in BODIES:
        problem = problem_of(service.post(path, {"userId": user_id, **body}), 400, "validation_error")
        assert [error["field"] for error in problem["errors"]] == ["userId"]
    for path in SERVICE_PATHS:
        problem_of(service.get(path.format(in_path)), 404, "not_found")
    problem_of(admin.get(f"/admin/sync/{in_path}"), 404, "not_found")


@pytest.mark.parametrize("user_id", IDS)
def test_any_other_text_is_the_same_user_everywhere(api: Api, user_id: str) -> None:
    service, in_path = api.service(), quote(user_id, safe="")
    grant = {"userId": user_id, "amount": 7, "reason": "r", "referenceId": "once"}

    assert service.post("/internal/credits/grant", grant).status_code == 200

    assert api.user(user_id).get("/credits/balance").get_json()["balance"] == 7
    assert service.get(f"/internal/credits/balance/{in_path}").get_json()["balance"] == 7
    assert api.user("root", role="admin").get(f"/admin/sync/{in_path}").get_json()["userId"] == user_id
