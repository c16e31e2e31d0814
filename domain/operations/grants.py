"""Grants: credits that a user gets for free, once per user and reference."""

from datetime import datetime
from typing import Final

from domain.rules.ledger import Appended, Movement, TransactionType
from domain.store import Store, ledger
from domain.units import Credits, UserId

GRANTS_APP: Final = "system"


def grant(
    store: Store,
    *,
    user_id: UserId,
    amount: Credits,
    reason: str,
    reference_id: str,
    description: str | None,
    now: datetime,
) -> Appended:
    """Give a user credits, once per `reference_id`, however many requests come at once.

    Args:
        amount: Credits to give, 1 to `AMOUNT_MAX`.
        reference_id: What the credits are given for; a repetition gives the same user no more credits.

    Raises:
        KeyReused: the reference was granted before, with another amount.
    """
    movement = Movement(
        user_id=user_id,
        type=TransactionType.GRANT,
        amount=amount,
        app_id=GRANTS_APP,
        counterparty=f"grant:{reason}",
        description=description or f"Granted: {reason}",
        metadata={"reason": reason, "referenceId": reference_id},
        movement_key=f"grant:{reference_id}",
    )
    return ledger.append(store, movement, now=now)
