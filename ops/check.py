"""`mana-credits check`: is everything there that the service needs, and what to do where it is not."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import click
import requests
import stripe
from rich.console import Console
from rich.markup import escape

from domain.errors import Busy, Unavailable
from domain.store import UnfitDatabase
from gateways.bell import Bell
from process.parts import stripe_client, web_parts
from settings import BadSettings, Settings, read

STRIPE_TIMEOUT_S: Final = 5
ISSUER_TIMEOUT_S: Final = 3.0


@dataclass(frozen=True, kw_only=True)
class Line:
    """What was found: a line to read, and what to do if it is not well."""

    name: str
    is_well: bool
    found: str
    todo: str = ""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(*, as_json: bool) -> None:
    """Check settings, database, migrations, Redis, Stripe and JWKS, a line each. Exits 1 if one is not well."""
    try:
        settings = read()
    except BadSettings as wrong:
        lines = [Line(name="settings", is_well=False, found=str(wrong), todo="set these variables; see the README")]
    else:
        lines = [Line(name="settings", is_well=True, found="all there")]
        lines += [line for look in LOOKS for line in look(settings)]
    if as_json:
        print(json.dumps([vars(line) for line in lines]))
    else:
        console = Console(soft_wrap=True, highlight=False)
        for line in lines:
            mark, todo = ("[green]ok[/]  ", "") if line.is_well else ("[red]FAIL[/]", f" — {line.todo}")
            console.print(f"{mark} {line.name:<10} {escape(line.found)}{escape(todo)}")
    sys.exit(0 if all(line.is_well for line in lines) else 1)


def _database(settings: Settings) -> list[Line]:
    database = web_parts(settings).database
    try:
        database.check()
    except UnfitDatabase as unfit:
        behind = "behind this code" in str(unfit) or "role" in str(unfit)
        name, reached = (
            ("migrations", [Line(name="database", is_well=True, found="answers")])
            if behind
            else (
                "database",
                [],
            )
        )
        return [*reached, Line(name=name, is_well=False, found=str(unfit), todo="do that, then start the processes")]
    except (Busy, Unavailable) as error:
        todo = "is PostgreSQL up? does DATABASE_URL name it, and may this machine reach it?"
        return [Line(name="database", is_well=False, found=str(error), todo=todo)]
    finally:
        database.close()
    return [
        Line(name="database", is_well=True, found="answers, and keeps what it commits"),
        Line(name="migrations", is_well=True, found="up to date"),
    ]


def _redis(settings: Settings) -> list[Line]:
    if Bell(settings.redis_url, timeout_s=2).is_working():
        return [Line(name="redis", is_well=True, found="answers")]
    todo = "start Redis or correct REDIS_URL; until then jobs wait for the sweeper, none is lost"
    return [Line(name="redis", is_well=False, found="does not answer", todo=todo)]


def _stripe(settings: Settings) -> list[Line]:
    client = stripe_client(settings, timeout_s=STRIPE_TIMEOUT_S)
    try:
        client.v1.payment_intents.list({"limit": 1})
    except stripe.AuthenticationError:
        found, todo = "refuses the key", "put a valid key into STRIPE_SECRET_KEY and restart the workers"
    except stripe.StripeError as error:
        found, todo = (
            f"does not serve: {type(error).__name__}",
            "look at https://status.stripe.com; jobs wait and retry",
        )
    else:
        mode = "live" if settings.stripe_livemode else "test"
        return [Line(name="stripe", is_well=True, found=f"accepts the key ({mode} mode)")]
    return [Line(name="stripe", is_well=False, found=found, todo=todo)]


def _jwks(settings: Settings) -> list[Line]:
    url = f"{settings.auth_url}/api/auth/jwks"
    try:
        published = requests.get(url, timeout=ISSUER_TIMEOUT_S).json()["keys"]
        usable = [key for key in published if key.get("crv") == "Ed25519" and key.get("kid")]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        todo = "is the issuer up, and MANA_AUTH_URL right? known keys serve for 24 hours"
        return [Line(name="jwks", is_well=False, found=f"not read ({type(error).__name__})", todo=todo)]
    if not usable:
        return [Line(name="jwks", is_well=False, found="no Ed25519 key", todo="let the issuer publish an EdDSA key")]
    return [Line(name="jwks", is_well=True, found=f"{len(usable)} usable keys")]


LOOKS: Final[tuple[Callable[[Settings], list[Line]], ...]] = (_database, _redis, _stripe, _jwks)
