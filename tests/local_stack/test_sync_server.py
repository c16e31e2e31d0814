from pathlib import Path

import pytest

from local.sync_server import Changes, create_app

NOBODY = "http://127.0.0.1:1"


def test_what_one_device_sends_another_gets_once(tmp_path: Path) -> None:
    changes = Changes(tmp_path / "changes.json")

    assert changes.exchange("anna/notes", sent=["a", "b"], since=0) == ([], 2)
    assert changes.exchange("anna/notes", sent=["c"], since=0) == (["a", "b"], 3)
    assert changes.exchange("anna/notes", sent=[], since=2) == (["c"], 3)
    assert changes.exchange("ben/notes", sent=[], since=0) == ([], 0)


def test_changes_outlive_the_server(tmp_path: Path) -> None:
    file = tmp_path / "kept" / "changes.json"
    Changes(file).exchange("anna/notes", sent=["a"], since=0)

    assert Changes(file).exchange("anna/notes", sent=[], since=0) == (["a"], 1)


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer a.b.c", "Basic YTpi"])
def test_nobody_syncs_without_a_token(tmp_path: Path, authorization: str) -> None:
    app = create_app(Changes(tmp_path / "c.json"), service=NOBODY, issuer=NOBODY, service_key="key")

    answer = app.test_client().post("/sync/notes", json={}, headers={"Authorization": authorization})

    assert answer.status_code == 401
    assert not (tmp_path / "c.json").exists()
