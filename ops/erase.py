"""`mana-credits erase`: delete a person's data, and leave the books as they are."""

import sys
from datetime import UTC, datetime

import click

from domain.operations.erasure import erase_user
from domain.rules.addresses import BadAddress
from domain.units import UserId
from ops.command import exit_on_refusal, operator, print_json
from ops.options import Reason, UserIdText, json_option, yes_option
from process.parts import command_parts


@click.command()
@click.argument("user_id", type=UserIdText())
@click.option("--email", help="Also blank gifts that were meant for this address.")
@click.option("--why", type=Reason(), required=True, help="Why; it is recorded, so do not name a person in it.")
@yes_option
@json_option
def erase(*, user_id: str, email: str | None, why: str, yes: bool, as_json: bool) -> None:
    """Erase a user's personal data: texts, metadata, payloads, errors, client secrets, names, addresses, clients' keys.

    Amounts and ids stay: the books hold as before. Nobody acts for the user again, and it cannot be undone. Stripe
    keeps its own data: delete the customer there.
    """
    if not yes:
        click.confirm(f"Erase the personal data of {user_id} for ever?", abort=True, err=True)
    try:
        # Only the owner of the tables may erase: the role of the service may not.
        with exit_on_refusal(), command_parts(as_app=False) as parts, parts.database.begin() as store:
            counts = erase_user(
                store, user_id=UserId(user_id), email=email, who=operator(), why=why, now=datetime.now(UTC)
            )
    except BadAddress as error:
        sys.exit(f"--email: {error}")
    if as_json:
        print_json(counts)
    else:
        print("Erased: " + ", ".join(f"{count} {name}" for name, count in counts.items()))
