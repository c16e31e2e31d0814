"""Jobs of kind `refund`: asking Stripe to give a buyer's money back."""

from collections.abc import Callable

from domain.rules.job_kinds import REFUND
from domain.rules.job_payloads import RefundOpened, RefundPurchase
from domain.rules.jobs import Job
from domain.store import Store
from domain.store import purchases as purchase_rows
from process.parts import WorkerParts
from workers.registry import handles


@handles(REFUND)
def refund_purchase(payload: RefundPurchase, _job: Job, parts: WorkerParts) -> Callable[[Store], RefundOpened]:
    """Ask Stripe for a refund. The credits are taken back when Stripe reports it, as for a refund from anywhere else.

    A crash after the call leaves a refund whose event does the rest; the next attempt finds the same refund by its key.
    """
    with parts.database.read() as reader:
        purchase = purchase_rows.get(reader, payload.purchase_id)
    refund_id = parts.stripe.ensure_refund(
        purchase, amount=payload.amount, reason=payload.reason, asked_before=payload.asked_before
    )
    return lambda _store: RefundOpened(purchase_id=purchase.id, refund_id=refund_id, amount=payload.amount)
