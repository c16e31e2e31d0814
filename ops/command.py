"""What several commands do: name who runs them, end with a refusal, print JSON."""

import getpass
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from domain.errors import Refusal
from ops.terminal import end_with


def operator() -> str:
    """Return who runs this command, as it is recorded with an act."""
    return f"cli:{getpass.getuser()}"


@contextmanager
def exit_on_refusal() -> Iterator[None]:
    """End the command with the text of a refusal and exit status 1."""
    try:
        yield
    except Refusal as refusal:
        end_with(refusal.detail)


def print_json(value: Any) -> None:
    """Print a value as JSON; ids and times become text."""
    print(json.dumps(value, default=str))


def price_text(cents: int) -> str:
    """Format a price in euro cents for people."""
    return f"{cents / 100:.2f} €"
