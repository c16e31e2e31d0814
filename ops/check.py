"""`mana-credits check`: whether everything the service needs is there, and what to do if it is not."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import click
import stripe
from rich.markup import escape

from domain.errors import Busy, ReadOnly, Unavailable
from domain.store import UnfitDatabase
from gateways.http import Unanswered
from gateways.issuer import PATH as ISSUER_PATH
from gateways.issuer import fetch_keys
from ops.command import print_json
from ops.options import json_option
from ops.terminal import terminal
from process.connections import LOW, room
from process.parts import stripe_client, web_parts
from settings import BadSettings, Settings, read

REDIS_TIMEOUT_S: Final = 2
STRIPE_TIMEOUT_S: Final = 5
ISSUER_LIMIT_S: Final = 3.0


@dataclass(frozen=True)
class Line:
    """A line of the report: what was checked, what was found, and what to do if it is not well."""

    name: str
    is_well: bool
    found: str
    todo: str = ""


@click.command()
@json_option
def check(*, as_json: bool) -> None:
    """Check settings, database, Redis, Stripe, JWKS and limits, one line each. Exits 1 if one is not well."""
    try:
        settings = read()
    except BadSettings as error:
        lines = [_failed("settings", str(error), "set these variables; docs/production.md describes them")]
    else:
        lines = [_well("settings", "complete")]
        lines += [line for check_part in CHECKS for line in check_part(settings)]
    if as_json:
        print_json([vars(line) for line in lines])
    else:
        console = terminal(soft_wrap=True, highlight=False)
        for line in lines:
            mark, todo = ("[green]ok[/]  ", "") if line.is_well else ("[red]FAIL[/]", f" — {line.todo}")
            console.print(f"{mark} {line.name:<10} {escape(line.found)}{escape(todo)}")
    sys.exit(0 if all(line.is_well for line in lines) else 1)


def _well(name: str, found: str) -> Line:
    return Line(name, True, found)  # noqa: FBT003 - the line's second member


def _failed(name: str, found: str, todo: str) -> Line:
    return Line(name, False, found, todo)  # noqa: FBT003


def _check_database(settings: Settings) -> list[Line]:
    database = web_parts(settings, connections=1).database
    try:
        database.check()
    except UnfitDatabase as error:
        todo = "do that, then start the processes"
        if "behind this code" in str(error) or "role" in str(error):
            return [_well("database", "answers"), _failed("migrations", str(error), todo)]
        return [_failed("database", str(error), todo)]
    except ReadOnly as error:
        todo = "does DATABASE_URL name the primary? is default_transaction_read_only on, or the disk full?"
        return [_failed("database", str(error), todo)]
    except (Busy, Unavailable) as error:
        todo = "is PostgreSQL running? is DATABASE_URL right? can this machine reach it?"
        return [_failed("database", str(error), todo)]
    finally:
        database.close()
    return [_well("database", "answers, takes writes and keeps what it commits"), _well("migrations", "up to date")]


def _check_redis(settings: Settings) -> list[Line]:
    if web_parts(settings, redis_timeout_s=REDIS_TIMEOUT_S).bell.is_working():
        return [_well("redis", "answers")]
    todo = "start Redis or correct REDIS_URL; until then jobs start later, and none is lost"
    return [_failed("redis", "does not answer", todo)]


def _check_stripe(settings: Settings) -> list[Line]:
    client = stripe_client(settings, timeout_s=STRIPE_TIMEOUT_S)
    try:
        client.v1.payment_intents.list({"limit": 1})
    except stripe.AuthenticationError:
        return [_failed("stripe", "refuses the key", "put a valid key into STRIPE_SECRET_KEY and restart the workers")]
    except stripe.StripeError as error:
        todo = "look at https://status.stripe.com; until then jobs wait and are tried again"
        return [_failed("stripe", f"does not answer: {type(error).__name__}", todo)]
    mode = "live" if settings.stripe_livemode else "test"
    return [_well("stripe", f"accepts the key ({mode} mode)")]


def _check_jwks(settings: Settings) -> list[Line]:
    url = f"{settings.auth_url}{ISSUER_PATH}"
    try:
        usable = fetch_keys(url, limit_s=ISSUER_LIMIT_S)
    except Unanswered as error:
        todo = "is the issuer running? is MANA_AUTH_URL right? known keys are used for 24 hours"
        return [_failed("jwks", f"cannot be read ({error})", todo)]
    return [_well("jwks", f"{len(usable)} usable keys")]


def _check_connections(_settings: Settings) -> list[Line]:
    connections = room()
    if connections < LOW:
        todo = "raise the limit of open files (`ulimit -n`, systemd: LimitNOFILE) to 4100 for the web processes"
        return [_failed("files", f"allow only {connections} connections to a web process", todo)]
    return [_well("files", f"allow {connections} connections to a web process")]


CHECKS: Final[tuple[Callable[[Settings], list[Line]], ...]] = (
    _check_database,
    _check_redis,
    _check_stripe,
    _check_jwks,
    _check_connections,
)
