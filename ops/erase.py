"""`mana-credits erase`: take a person's data out of the house, and leave the books as they are."""

import json
import sys
from datetime import UTC, datetime

import click

from domain.errors import Refusal
from domain.operations.erasure import erase_user
from domain.rules.addresses import BadAddress
from domain.units import UserId
from ops.jobs import Reason, UserIdText, json_option
from ops.operator import operator
from process.parts import command_parts


@click.command()
@click.argument("user_id", type=UserIdText())
@click.option("--email", help="Also blank gifts that were meant for this address.")
@click.option("--why", type=Reason(), required=True, help="Why; it is written down, so name nobody in it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def erase(*, user_id: str, email: str | None, why: str, yes: bool, as_json: bool) -> None:
    """Erase a user's personal data: texts, metadata, payloads, errors, client secrets, names, addresses, clients' keys.

    Amounts and ids stay: the books hold as before. Nobody acts for the user again. What Stripe knows is erased at
    Stripe: delete the customer there.
    """
    if not yes:
        click.confirm(f"Erase the personal data of {user_id} for ever?", abort=True, err=True)
    try:
        # The owner's right: the service itself cannot erase.
        with command_parts(as_app=False) as parts, parts.database.begin() as store:
            counts = erase_user(
                store, user_id=UserId(user_id), email=email, who=operator(), why=why, now=datetime.now(UTC)
            )
    except BadAddress as error:
        sys.exit(f"--email: {error}")
    except Refusal as refusal:
        sys.exit(refusal.detail)
    if as_json:
        print(json.dumps(counts))
    else:
        print("Erased: " + ", ".join(f"{count} {what}" for what, count in counts.items()))
