"""`mana-credits`, called in this process."""

from click.testing import CliRunner, Result

from ops.cli import main


def call(*arguments: str) -> Result:
    """Run a command; needs the fixture `command_environment`."""
    return CliRunner().invoke(main, list(arguments))
