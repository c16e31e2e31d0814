"""Who runs a command."""

import getpass


def operator() -> str:
    """Name who runs this command, for what is written down about it."""
    return f"cli:{getpass.getuser()}"
