"""Sources: short files and functions, and what only certain places may do."""

import ast
import re
from pathlib import Path
from typing import Final

import pytest

from tests.support.paths import ROOT
from tests.support.sources import PACKAGES, PRODUCTION, functions, name_of, sources, tree_of

FILE_LINES_MAX: Final = 300
FUNCTION_LINES_MAX: Final = 40
TEST_FILE_LINES_MAX: Final = 400
LONG_TEST_FILES: Final = {
    "tests/http/test_authentication.py": "one table of tokens and keys, each refused for its own reason",
    "tests/http/test_hostile_input.py": "one table of inputs, posted to every route that takes a body",
}
PARTS: Final = {"Database", "Bell", "Notifier", "StripeGateway", "StripeReader"}
READS_THE_ENVIRONMENT: Final = {
    "telemetry/metrics.py": "prometheus_client's own switch for several processes",
    "web/http/intake.py": "WSGI's environment of a request, not the process's",
    "process/supervise.py": "hands our environment on to the program it runs",
}


@pytest.mark.parametrize("package", [*PACKAGES, "settings.py", "migrations"])
def test_no_file_is_long(package: str) -> None:
    long = {
        name_of(path): lines
        for path in sources(package)
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > FILE_LINES_MAX
    }

    assert long == {}


def test_no_file_of_the_tests_is_long() -> None:
    long = {
        name_of(path)
        for path in sources("tests")
        if len(path.read_text(encoding="utf-8").splitlines()) > TEST_FILE_LINES_MAX
    }

    assert long == set(LONG_TEST_FILES)


@pytest.mark.parametrize("package", [*PACKAGES, "settings.py", "migrations", "tests"])
def test_no_function_is_long(package: str) -> None:
    long = {
        f"{name_of(path)}:{function.name}": lines
        for path in sources(package)
        for function in functions(tree_of(path))
        if (lines := code_lines(function)) > FUNCTION_LINES_MAX
    }

    assert long == {}


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the lines of a function without its decorators and its docstring."""
    whole = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        return whole - ((first.end_lineno or first.lineno) - first.lineno + 1)
    return whole


def test_the_environment_is_read_in_one_place() -> None:
    readers = {
        name_of(path) for path in sources(*PRODUCTION) if re.search(r"\benviron\b(?!ment)|\bgetenv\b", code_of(path))
    }

    assert readers == set(READS_THE_ENVIRONMENT)


def code_of(path: Path) -> str:
    """Read a file's code: its names and attributes, without texts and comments."""
    tree = tree_of(path)
    names = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
    attributes = [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    imported = [alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names]
    return "\n".join([*names, *attributes, *imported])


def test_nothing_outside_the_domain_is_refused_by_assert() -> None:
    for path in sources(*PACKAGES):
        asserts = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Assert)]
        assert asserts == [], name_of(path)


def test_the_settings_know_only_how_addresses_are_read() -> None:
    """`lint-imports` looks at packages only, and `settings` is a file."""
    statements = list(ast.walk(tree_of(ROOT / "settings.py")))
    imported = {alias.name for node in statements if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in statements if isinstance(node, ast.ImportFrom)}

    ours = {name for name in imported if name.split(".")[0] in {*PACKAGES, "tests", "migrations"}}
    assert ours == {"domain.rules.origins", "domain.store.database_urls"}


def test_parts_are_built_in_one_place() -> None:
    """Others name the classes of parts in their annotations, so `lint-imports` cannot tell.

    The group commit opens one connection of its own to the database that it is given.
    """
    builders = {
        name_of(path)
        for path in sources(*PRODUCTION)
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in PARTS
    }

    assert builders == {"process/parts.py", "domain/store/group_commit.py"}


def test_nobody_calls_commit() -> None:
    """Transactions are blocks; the one exception ends the setting up of a new connection."""
    allowed = {"domain/store/database.py:_prepare"}
    callers = {
        f"{name_of(path)}:{function.name}"
        for path in sources(*PACKAGES)
        for function in functions(tree_of(path))
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute) and node.attr == "commit"
    }

    assert callers <= allowed


def test_commands_print_through_the_console_that_cleans_texts() -> None:
    own = {name_of(path) for path in sources("ops") if "Console(" in path.read_text(encoding="utf-8")}

    assert own == {"ops/terminal.py"}
