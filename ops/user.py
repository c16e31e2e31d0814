"""`mana-credits user`: one user on one screen."""

import json
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
from ops.job_tables import job_json, job_table, moment, transaction_table
from ops.jobs import UserIdText
from process.parts import command_parts


@click.command()
@click.argument("user_id", type=UserIdText())
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def user(*, user_id: str, as_json: bool) -> None:
    """Show a user: balance, subscription, purchases, gifts, jobs and ledger, of each the latest rows."""
    with command_parts() as parts, parts.database.read() as reader:
        sheet = users.sheet(reader, UserId(user_id))
    if as_json:
        print(json.dumps(_json(user_id, sheet), default=str))
    else:
        _print(user_id, sheet, Console())


def _json(user_id: str, sheet: UserSheet) -> dict[str, Any]:
    return {
        "userId": user_id,
        "balance": asdict(sheet.balance),
        "transactions": [asdict(one) for one in sheet.transactions],
        "purchases": [_without_secrets(one) for one in sheet.purchases],
        "jobs": [job_json(one) for one in sheet.jobs],
        **sheet.parts,
    }


def _without_secrets(purchase: Purchase) -> dict[str, Any]:
    told = asdict(purchase)
    del told["client_secret"], told["checkout_url"]
    return told


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
    for one in sheet.purchases:
        price = f"{one.price_euro_cents / 100:.2f} €"
        payment = one.stripe_payment_intent_id or "—"
        table.add_row(
            moment(one.created_at),
            escape(one.package_name),
            str(one.credits),
            price,
            one.status.value,
            payment,
            str(one.id),
        )
    return table
