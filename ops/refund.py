"""`mana-credits refund`: give a buyer's money back."""

import sys
from uuid import UUID

import click

from domain.errors import KeyReused, Refusal
from domain.operations.stripe_refunds import request_refund
from domain.units import EuroCents
from ops.following import ended, refuse_unless_done
from process.parts import command_parts

REASONS = ("requested_by_customer", "duplicate", "fraudulent")
"""Stripe's words (https://docs.stripe.com/api/refunds/create#create_refund-reason)."""


@click.command()
@click.argument("purchase", type=click.UUID)
@click.option("--amount", type=click.IntRange(min=1), metavar="CENTS", help="In euro cents; default all that is left.")
@click.option("--reason", type=click.Choice(REASONS), default=REASONS[0], help="What Stripe shall note.")
def refund(*, purchase: UUID, amount: int | None, reason: str) -> None:
    """Ask Stripe to refund a PURCHASE, whole or in part. The credits go back when Stripe's event comes.

    The same command given twice before that event asks for one refund.
    """
    wanted = None if amount is None else EuroCents(amount)
    with command_parts() as parts:
        try:
            with parts.database.begin() as store:
                recorded = request_refund(store, purchase_id=purchase, amount=wanted, reason=reason)
        except KeyReused:
            sys.exit("A refund of another amount is under way; ask again when Stripe has told of it")
        except Refusal as refusal:
            sys.exit(refusal.detail)
        parts.ring(recorded.job)
        opened = recorded.kind.read_result(refuse_unless_done(ended(parts.database, recorded.job.id)))
    again = " (asked for before)" if recorded.replayed else ""
    print(f"Refund {opened.refund_id} of {opened.amount} cents of purchase {purchase}{again}")
