"""`mana-credits` where something is missing: the developers' programs, or a sensible address of Redis."""

import sys
from pathlib import Path
from uuid import uuid4

import pytest

from ops import cli
from tests.support.command_line import call

pytestmark = pytest.mark.usefixtures("command_environment")


@pytest.mark.parametrize("words", [[], ["--help"], ["dev"], ["demo", "--help"], ["token", "anna", "--role", "admin"]])
def test_commands_for_developers_say_what_they_need_where_they_are_not_installed(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "CHECKOUT", str(tmp_path))
    monkeypatch.setitem(sys.modules, "local.commands", None)

    result = call(*words)

    assert "Traceback" not in result.output
    if words and words[0] != "--help":
        assert "works in a checkout" in result.output.lower()
    else:
        assert "audit" in result.output
        assert "dev" in result.output


def test_an_odd_address_of_redis_is_refused_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "nonsense")

    result = call("refund", str(uuid4()))

    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert "REDIS_URL must start with redis://" in result.output
