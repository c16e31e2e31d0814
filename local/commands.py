"""`mana-credits dev`, `demo` and `token`: the service on a developer's machine."""

import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click
from rich.console import Console
from rich.markup import escape

from domain.store import Database
from local.customer import DemoFailed
from local.logbook import Logbook
from local.programs import PROJECT
from local.purchase_demo import PurchaseDemo
from local.server import ServerFailed
from local.stack import AlreadyRunning, LocalStack
from local.state import NotRunning, read_state, token_from
from local.subscription_demo import SubscriptionDemo
from settings import DEFAULT_PORT, from_environment

DIRECTORY = PROJECT / ".local"
POLL_EVERY_S = 0.5
END_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

directory_option = click.option(
    "--directory", type=click.Path(path_type=Path), default=DIRECTORY, help="Where all data is kept; default .local."
)


@click.command()
@directory_option
@click.option(
    "--port",
    type=click.IntRange(1, 65_535),
    default=DEFAULT_PORT,
    envvar="PORT",
    help="Port of the API if it is free; default 3061, or the environment variable PORT.",
)
@click.option("--demo/--no-demo", default=True, help="Buy credits once, to show that everything works.")
@click.option("--once", is_flag=True, help="Stop after the demonstration purchase.")
def dev(*, directory: Path, port: int, demo: bool, once: bool) -> None:
    """Start everything on this machine, buy credits once, and run until Ctrl-C."""
    console = Console(soft_wrap=True)
    for number in END_SIGNALS:
        signal.signal(number, _interrupt)
    stack = LocalStack(directory, port=port)
    try:
        _run(stack, console, demo=demo, once=once)
    except KeyboardInterrupt:
        console.print("\nStopping.")
    except AlreadyRunning as refusal:
        sys.exit(
            f"{refusal}. {_describe_running(directory)}End it with Ctrl-C in its terminal, or use another --directory."
        )
    except (ServerFailed, DemoFailed, OSError) as failure:
        sys.exit(f"{failure}\nLogs are in {directory / 'log'}.")
    finally:
        _ignore_end_signals()
        stack.stop()


@click.command()
@directory_option
@click.option("--user", default="demo-user", help="User id; default demo-user.")
@click.option("--email", help="E-mail address of the user; the token says that it is verified.")
@click.option("--name", help="Name of the user.")
@click.option("--role", default="user", help="user or admin; default user.")
@click.option("--expires-in", type=int, help="Seconds until the token expires; default 8 hours.")
def token(
    *, directory: Path, user: str, email: str | None, name: str | None, role: str, expires_in: int | None
) -> None:
    """Print a token for any user of the running local stack."""
    try:
        issuer = read_state(directory)["issuer"]
        print(token_from(issuer, user, email=email, name=name, role=role, expiresInSeconds=expires_in))
    except (NotRunning, ValueError, OSError) as refusal:
        sys.exit(str(refusal))


@click.command()
@directory_option
def demo(*, directory: Path) -> None:
    """Activate a subscription, renew it until credits run out, top up, activate it again; on the local stack only."""
    try:
        environment = read_state(directory)["environment"]
        settings = from_environment(environment)
        if settings.stripe_api_base is None:
            sys.exit("The demonstration pays with a test card: it works with the local Stripe only.")
        database = Database(settings.database_url, pool_size=1)
        try:
            SubscriptionDemo(environment, database, Console(soft_wrap=True)).run()
        finally:
            database.close()
    except NotRunning as refusal:
        sys.exit(f"The demonstration moves dates, so it works on the local stack only: {refusal}")
    except (DemoFailed, OSError) as failure:
        sys.exit(f"{failure}\nLogs are in {directory / 'log'}.")


def _run(stack: LocalStack, console: Console, *, demo: bool, once: bool) -> None:
    started = time.monotonic()
    with console.status("Starting PostgreSQL, Valkey, the local Stripe, the issuer and the service …"):
        stack.start()
    console.print(f"[bold]mana-credits[/] is ready after {time.monotonic() - started:.1f} s", highlight=False)
    logbook = Logbook(stack.directory / "log")
    if demo:
        PurchaseDemo(stack.env, console).run()
    if once:
        return
    _print_addresses(stack, console)
    logbook.skip()
    while True:
        time.sleep(POLL_EVERY_S)
        for name, line in logbook.new_warnings():
            console.print(f"[yellow]{name:<9}[/] {escape(line)}", highlight=False)
        _restart_ended(stack, console)


def _print_addresses(stack: LocalStack, console: Console) -> None:
    curl = f'curl -H "Authorization: Bearer {stack.token("demo-user")}" {stack.base_url}/api/v1/credits/balance'
    addresses = {
        "Pages": f"{stack.base_url}/credits",
        "API": f"{stack.base_url}/docs",
        "Console": f"{stack.base_url}/ops  (sign in with the role admin)",
        "Tokens": f"{stack.issuer.url()}/  (or: mana-credits token --user NAME --role admin)",
        "Stripe": f"{stack.stripe.url()}/",
        "PostgreSQL": stack.env.get("MIGRATION_DATABASE_URL", stack.env["DATABASE_URL"]),
        "Variables": f"source {stack.directory / 'env'}",
        "Logs": f"{stack.directory / 'log'}/  (warnings appear here as well)",
    }
    console.print("\n[bold]Where to look[/]")
    for name, address in addresses.items():
        console.print(f"  {name:<11} {escape(address)}", highlight=False)
    console.print("\n[bold]Try[/]")
    console.print(f"  {escape(curl)}", highlight=False)
    console.print("  mana-credits demo   (a subscription: activated, renewed, paused, topped up, activated again)\n")
    console.print("Ctrl-C stops everything.")


def _restart_ended(stack: LocalStack, console: Console) -> None:
    """Start every server and process again that has ended, as a supervisor does in production."""
    for name, server in stack.everything().items():
        if not server.is_running:
            console.print(f"[yellow]{name} has ended; starting it again[/]")
            stack.restart(name)


def _describe_running(directory: Path) -> str:
    """Return a sentence about the stack that runs in this directory; empty if it cannot be read."""
    try:
        state = read_state(directory)
    except NotRunning:  # that stack is just starting or stopping
        return ""
    return f"It is process {state['pid']} and serves {state['web']}. "


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    """Begin to stop; further signals are ignored so that they do not interrupt the stopping."""
    _ignore_end_signals()
    raise KeyboardInterrupt


def _ignore_end_signals() -> None:
    for number in END_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
