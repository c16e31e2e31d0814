"""The command `mana-credits`. Each command is a module of its own, imported when it is used."""

import importlib
import sys
from pathlib import Path
from typing import Any, Final

import click

from domain.errors import Busy, Unavailable
from domain.store import UnfitDatabase
from telemetry.logs import configure_logging

COMMANDS = {
    "audit": "ops.audit:audit",
    "check": "ops.check:check",
    "demo": "local.commands:demo",
    "dev": "local.commands:dev",
    "erase": "ops.erase:erase",
    "export": "ops.export:export",
    "jobs": "ops.jobs:jobs",
    "packages": "ops.packages:packages",
    "reconcile": "ops.reconcile:reconcile",
    "refund": "ops.refund:refund",
    "seed": "ops.packages:seed",
    "sign-out": "ops.sign_out:sign_out",
    "token": "local.commands:token",
    "user": "ops.user:user",
}
"""Where each command is: `module:name`. Those in `local` need a checkout and the development packages."""

CHECKOUT: Final = str(Path(__file__).parents[1])
"""Where `local` is, if this is a checkout: it is not part of the installed package."""


class Commands(click.Group):
    """A group of commands that imports only the one that is called."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """List the commands' names."""
        return sorted(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; `None` if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        if module.startswith("local."):
            sys.path.append(CHECKOUT)
        try:
            command: click.Command = getattr(importlib.import_module(module), name)
        except ModuleNotFoundError as error:
            if not module.startswith("local."):
                raise
            return _not_here(cmd_name, missing=error.name or module)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command. If the database cannot be used, end with one line that says so."""
        try:
            return super().invoke(ctx)
        except (Unavailable, Busy, UnfitDatabase) as error:
            sys.exit(f"{error}. For details run: mana-credits check")


def _not_here(name: str, *, missing: str) -> click.Command:
    """Build the command that says what a command for developers needs."""

    @click.command(name, context_settings={"ignore_unknown_options": True})
    @click.argument("words", nargs=-1)
    def command(words: tuple[str, ...]) -> None:  # noqa: ARG001 - whatever is asked for, the answer is the same
        """Works in a checkout only: runs servers on a developer's machine."""
        sys.exit(
            f"`mana-credits {name}` runs servers on a developer's machine. It works in a checkout of the repository"
            f" after `make setup`, and not in an installed package: there is no {missing}."
        )

    return command


@click.group(cls=Commands)
def main() -> None:
    """Run and operate mana-credits."""
    configure_logging()  # warnings go to standard error, not into what a command prints


if __name__ == "__main__":
    main()
