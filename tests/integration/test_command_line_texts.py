"""What the operators' command line does with odd texts: those it prints, and those it is given."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from domain.store import Database, ledger
from ops.cli import main
from tests.support.credits import give, use_of
from tests.support.jobs import failed_job
from tests.support.times import NOW


@pytest.fixture(autouse=True)
def environment(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("COLUMNS", "200")


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def json_of(*arguments: str) -> Any:
    return json.loads(call(*arguments, "--json").stdout)


def use(database: Database, description: str) -> None:
    """Spend a credit as an earlier release did, which stored what it was sent."""
    give(database, "anna", 10)
    with database.begin() as store:
        ledger.append(store, use_of("anna", description=description), now=NOW)


ESCAPES = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e"


def test_no_stored_text_reaches_the_terminal_with_its_control_characters(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier_release:  # which stored what it was sent
        earlier_release.setattr("domain.operations.jobs.clean_text", str)
        job_id = failed_job(database, message=f"message {ESCAPES}")
    use(database, f"question {ESCAPES}")

    shown = [call("user", "anna"), call("jobs", "list"), call("jobs", "stats"), call("jobs", "show", str(job_id))]

    assert [result.exit_code for result in shown] == [0] * 4
    assert any("message \ufffd]0;owned" in result.output for result in shown)
    assert "question \ufffd]0;owned" in shown[0].output
    for result in shown:
        assert not set(result.output) & set("\x1b\x07\x9b\u202e")


def test_no_stored_text_reaches_a_csv_file_with_its_control_characters(database: Database, tmp_path: Path) -> None:
    use(database, f"question {ESCAPES}")

    call("export", "--from", "2000-01-01", "--to", "2100-01-01", "--directory", str(tmp_path))

    assert "question \ufffd]0;owned" in (tmp_path / "ledger.csv").read_text(encoding="utf-8")
    assert not set((tmp_path / "ledger.csv").read_text(encoding="utf-8")) & set("\x1b\x07\x9b\u202e")


@pytest.mark.parametrize("option", ["--user", "--error", "--text"])
def test_what_no_stored_text_contains_cannot_be_looked_for(option: str) -> None:
    assert call("jobs", "list", option, "\udcff").exit_code == 2


def test_names_and_reasons_of_the_command_line_are_cleaned(database: Database) -> None:
    job_id = str(failed_job(database))

    call("packages", "add", "Half \ud83d", "--credits", "1", "--price-cents", "50", "--description", "a\x1bb")
    call("jobs", "retry", job_id, "--why", "because \ud83d")

    package = next(package for package in json_of("packages", "list") if package["name"].startswith("Half"))
    assert (package["name"], package["description"]) == ("Half \ufffd", "a\ufffdb")
    assert json_of("jobs", "show", job_id)["acts"][0]["why"] == "because \ufffd"
