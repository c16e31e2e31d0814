"""Who writes in PostgreSQL: the operations of the domain. All others read, through a `Reader`."""

import ast
import importlib
import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any, Final

from tests.support.sources import name_of, sources, tree_of

STORE: Final = "domain.store"
OTHERS: Final = ("web", "workers", "ops", "gateways", "process")
FREE: Final = {"domain.store.database", "domain.store.group_commit"}
"""What every process is built of: the connections, and the commits that are shared."""
WRITES_OUTSIDE: Final[dict[str, str]] = {}
"""Functions that write and are called outside of the operations, with the reason."""


def imported(tree: ast.Module) -> Iterator[tuple[str, Any]]:
    """Find what a file imports out of the store: the name it has there, and the module or the member of one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                # A whole dotted name would have to be followed through every attribute: nobody needs one.
                assert not f"{alias.name}.".startswith(f"{STORE}."), f"import {alias.name}: use `from … import`"
        if isinstance(node, ast.ImportFrom) and node.module == "domain":
            assert "store" not in {alias.name for alias in node.names}, "import the store's modules, not the store"
        if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith(f"{STORE}."):
            module = importlib.import_module(str(node.module))
            for alias in node.names:
                assert alias.name != "*"
                if hasattr(module, alias.name):
                    yield alias.asname or alias.name, getattr(module, alias.name)
                else:
                    yield alias.asname or alias.name, importlib.import_module(f"{node.module}.{alias.name}")


def used(tree: ast.Module) -> Iterator[Any]:
    """Find the members of the store's modules that a file names: imported, or as attributes of an imported module."""
    members = dict(imported(tree))
    yield from members.values()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = members.get(node.value.id)
            if isinstance(module, ModuleType):
                yield getattr(module, node.attr)


def is_write(member: Any) -> bool:
    """Tell whether a member of the store is a function that takes anything but a `Reader`."""
    if not inspect.isfunction(member) or member.__module__ in FREE or not member.__module__.startswith(STORE):
        return False
    parameters = list(inspect.signature(member, eval_str=True).parameters.values())
    return bool(parameters) and not reads(parameters[0])


def reads(parameter: inspect.Parameter) -> bool:
    return getattr(parameter.annotation, "__name__", "") == "Reader"


def test_only_the_operations_write() -> None:
    writes = {
        f"{name_of(path)}: {member.__module__}.{member.__qualname__}"
        for path in sources(*OTHERS)
        for member in used(tree_of(path))
        if is_write(member)
    }

    assert writes == set(WRITES_OUTSIDE)


def test_writes_are_recognised() -> None:
    """Without this, a mistake in the search would make the others pass."""
    text = """
from domain.store import ledger as ledger_rows
from domain.store.balances import balance_of

def act(store):
    ledger_rows.append(store)
    ledger_rows.history(store)
"""
    members = list(used(ast.parse(text)))

    assert [member.__qualname__ for member in members if is_write(member)] == ["append"]
    assert {member.__qualname__ for member in members if inspect.isfunction(member)} == {
        "append",
        "balance_of",
        "history",
    }


RUNS_SQL: Final = {"execute", "fetch_one", "fetch_all", "first", "run", "scalar"}


def sql_calls(tree: ast.Module) -> Iterator[str]:
    """Find where a file lets a `Store` or a `Reader` run SQL."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in RUNS_SQL:
            on = node.func.value
            name = on.id if isinstance(on, ast.Name) else on.attr if isinstance(on, ast.Attribute) else ""
            if name.removeprefix("_") in {"store", "reader"}:
                yield f"{name}.{node.func.attr}"


def test_sql_stands_in_the_store() -> None:
    calls = {
        f"{name_of(path)}: {call}"
        for path in sources("web", "workers", "ops", "gateways", "process", "domain")
        if not name_of(path).startswith("domain/store/")
        for call in sql_calls(tree_of(path))
    }

    assert calls == set()
    assert list(sql_calls(ast.parse('store.execute("UPDATE")\nreader.fetch_one("SELECT")\nqueue.run()'))) == [
        "store.execute",
        "reader.fetch_one",
    ]
