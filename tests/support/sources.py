"""The project's own source files, for the tests of the code's shape."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.support.paths import ROOT

PRODUCTION: Final = ("domain", "gateways", "process", "telemetry", "web", "workers", "ops")
PACKAGES: Final = (*PRODUCTION, "local", "bench")


def sources(*packages: str) -> Iterator[Path]:
    """Find the Python files of some packages; a single file is named with its ending."""
    for package in packages:
        yield from [ROOT / package] if package.endswith(".py") else sorted((ROOT / package).rglob("*.py"))


def name_of(path: Path) -> str:
    """Write a file's path as it is in the repository."""
    return path.relative_to(ROOT).as_posix()


def tree_of(path: Path) -> ast.Module:
    """Parse a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Find the functions of a tree, those inside of others as well."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
