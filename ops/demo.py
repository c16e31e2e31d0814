"""`mana-credits demo`: the life of a subscription, on the local stack that `mana-credits dev` keeps running."""

import sys
from pathlib import Path

import click
from rich.console import Console

from domain.store import Database
from ops.dev import directory_option
from ops.local.customer import DemoFailed
from ops.local.state import NotRunning, read_state
from ops.local.sync_demo import SyncDemo
from settings import from_environment


@click.command()
@directory_option
def demo(*, directory: Path) -> None:
    """Activate a subscription, renew it, let it run dry, top up, activate it again. On the local stack only."""
    try:
        environment = read_state(directory)["environment"]
        settings = from_environment(environment)
        if settings.stripe_api_base is None:
            sys.exit("The demonstration pays with a test card: it works with the local Stripe only.")
        database = Database(settings.database_url, pool_size=1)
        try:
            SyncDemo(environment, database, Console(soft_wrap=True)).run()
        finally:
            database.close()
    except NotRunning as refusal:
        sys.exit(f"The demonstration moves dates, so it works on the local stack only: {refusal}")
    except (DemoFailed, OSError) as failure:
        sys.exit(f"{failure}\nLogs are in {directory / 'log'}.")
