"""`mana-credits check`: what is there, what is missing, and what to do."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from process import preflight
from tests.support.command_line import call
from tests.support.plain_sql import rows

pytestmark = pytest.mark.usefixtures("command_environment")


def test_check_tells_what_is_there_and_what_to_do() -> None:
    result = call("check", "--json")

    lines = {line["name"]: line for line in json.loads(result.stdout)}
    assert result.exit_code == 1
    assert {name for name, line in lines.items() if line["is_well"]} == {
        "settings",
        "database",
        "migrations",
        "jwks",
        "files",
    }
    assert all(lines[name]["todo"] for name in ("redis", "stripe"))


def test_check_tells_of_a_low_limit_of_open_files() -> None:
    command = f"ulimit -n 300 && exec {Path(sys.executable).parent}/mana-credits check --json"

    checked = subprocess.run(["/bin/bash", "-c", command], capture_output=True, text=True, check=False)

    (line,) = [line for line in json.loads(checked.stdout) if line["name"] == "files"]
    assert not line["is_well"]
    assert "200 connections" in line["found"]
    assert "ulimit" in line["todo"]


def test_check_and_the_look_before_the_start_tell_of_a_database_that_takes_no_writes(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name = database_url.rpartition("/")[2]
    rows(database_url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")

    result = call("check", "--json")
    preflight.main()  # it may pass: no reason to end

    lines = {line["name"]: line for line in json.loads(result.stdout)}
    assert result.exit_code == 1
    assert lines["database"]["found"] == "the database is read-only"
    assert "primary" in lines["database"]["todo"]
    assert "the database is read-only" in capsys.readouterr().err


def test_check_tells_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MANA_SERVICE_KEY")

    result = call("check")

    assert result.exit_code == 1
    assert "MANA_SERVICE_KEY is missing or empty" in result.output
