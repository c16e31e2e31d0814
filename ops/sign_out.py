"""`mana-credits sign-out`: end an operator's sessions of the console."""

from typing import Final

import click

from domain.operations import console_sessions
from domain.units import UserId
from ops.command import print_json
from ops.options import UserIdText, json_option
from process.parts import command_parts

STATEMENT_TIMEOUT_S: Final = 30.0


@click.command("sign-out")
@click.argument("user_id", type=UserIdText())
@json_option
def sign_out(*, user_id: str, as_json: bool) -> None:
    """End all sessions that an operator has in the console, at once.

    It does not stop who still has an administrator's token: the issuer withdraws those.
    """
    with command_parts(statement_timeout_s=STATEMENT_TIMEOUT_S) as parts, parts.database.begin() as store:
        ended = console_sessions.end_all_of(store, UserId(user_id))
    if as_json:
        print_json({"ended": ended})
    else:
        print(f"Ended {ended} sessions of the console")
