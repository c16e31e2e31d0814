"""`mana-credits refund`: give a buyer's money back through Stripe."""

import sys
from uuid import UUID

import click

from domain.errors import KeyReused
from domain.operations.stripe_refunds import request_refund
from domain.units import EuroCents
from ops import following
from ops.command import exit_on_refusal
from ops.following import exit_unless_done, follow_command, wait_for_end
from process.parts import command_parts

REASONS = ("requested_by_customer", "duplicate", "fraudulent")
"""Stripe's words (https://docs.stripe.com/api/refunds/create#create_refund-reason)."""


@click.command()
@click.argument("purchase", type=click.UUID)
@click.option("--amount", type=click.IntRange(min=1), metavar="CENTS", help="In euro cents; default: all that is left.")
@click.option("--reason", type=click.Choice(REASONS), default=REASONS[0], help="The reason that Stripe records.")
@click.option("--no-wait", is_flag=True, help="Record the job and print its id; do not wait for the refund.")
def refund(*, purchase: UUID, amount: int | None, reason: str, no_wait: bool) -> None:
    """Ask Stripe to refund a PURCHASE, in full or in part. The credits go back when Stripe confirms it.

    If the same command is given again before that, it is still one refund.
    """
    cents = None if amount is None else EuroCents(amount)
    with exit_on_refusal(), command_parts() as parts:
        try:
            with parts.database.begin() as store:
                recorded = request_refund(store, purchase_id=purchase, amount=cents, reason=reason)
        except KeyReused:
            sys.exit("A refund of another amount is under way. Try again when Stripe has confirmed it")
        job = recorded.job
        parts.ring(job)
        if no_wait:
            print(job.id)
            return
        click.echo(f"Waiting for a worker to do job {job.id}. Follow it with: {follow_command(job.id)}", err=True)
        ended = exit_unless_done(wait_for_end(parts.database, job.id, patience_s=following.PATIENCE_S))
        opened = recorded.kind.read_result(ended)
    again = " (requested before)" if recorded.replayed else ""
    print(f"Refund {opened.refund_id} of {opened.amount} cents of purchase {purchase}{again}")
