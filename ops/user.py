"""`mana-credits user`: everything about a user on one screen."""

from dataclasses import asdict
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from domain.rules.purchases import Purchase
from domain.store import users
from domain.store.users import UserSheet
from domain.units import UserId
from ops.command import price_text, print_json
from ops.job_tables import job_json, job_table, moment, transaction_table
from ops.options import UserIdText, json_option
from ops.terminal import terminal
from process.parts import command_parts


@click.command()
@click.argument("user_id", type=UserIdText())
@json_option
def user(*, user_id: str, as_json: bool) -> None:
    """Show a user: balance, subscription, and the latest purchases, gifts, jobs and ledger rows."""
    with command_parts() as parts, parts.database.read() as reader:
        sheet = users.sheet(reader, UserId(user_id))
    if as_json:
        print_json(_json(user_id, sheet))
    else:
        _print(user_id, sheet, terminal())


def _json(user_id: str, sheet: UserSheet) -> dict[str, Any]:
    return {
        "userId": user_id,
        "balance": asdict(sheet.balance),
        "transactions": [asdict(row) for row in sheet.transactions],
        "purchases": [_without_secrets(purchase) for purchase in sheet.purchases],
        "jobs": [job_json(row) for row in sheet.jobs],
        **sheet.parts,
    }


def _without_secrets(purchase: Purchase) -> dict[str, Any]:
    members = asdict(purchase)
    del members["client_secret"], members["checkout_url"]
    return members


def _print(user_id: str, sheet: UserSheet, console: Console) -> None:
    balance = sheet.balance
    console.print(
        f"{user_id}: {balance.balance} credits, {balance.total_earned} earned, {balance.total_spent} spent",
        style="bold",
        markup=False,
    )
    for part, rows in sheet.parts.items():
        table = Table(title=part.capitalize(), show_header=bool(rows))
        for column in rows[0] if rows else ():
            table.add_column(column)
        for row in rows:
            table.add_row(*(escape(str(value)) for value in row.values()))
        console.print(table if rows else f"{part.capitalize()}: none")
    console.print(_purchases(sheet))
    console.print(job_table(sheet.jobs, title="Jobs"))
    console.print(transaction_table(sheet.transactions))


def _purchases(sheet: UserSheet) -> Table:
    table = Table("Started (UTC)", "Package", "Credits", "Price", "Status", "PaymentIntent", "Id", title="Purchases")
    for purchase in sheet.purchases:
        price = price_text(purchase.price_euro_cents)
        payment = purchase.stripe_payment_intent_id or "—"
        table.add_row(
            moment(purchase.created_at),
            escape(purchase.package_name),
            str(purchase.credits),
            price,
            purchase.status.value,
            payment,
            str(purchase.id),
        )
    return table
