"""One user on one page, for operators."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from domain.rules.ledger import Balance, Transaction
from domain.rules.operators import FoundJob, JobFilter
from domain.rules.purchases import Purchase
from domain.store import Store, job_search, ledger, purchases, users
from domain.units import UserId

ROWS: Final = 20


@dataclass(frozen=True, kw_only=True)
class UserSheet:
    """What there is about a user; of each list the latest rows. `parts`: subscription, gifts and holds as JSON rows."""

    balance: Balance
    transactions: Sequence[Transaction]
    purchases: Sequence[Purchase]
    jobs: Sequence[FoundJob]
    parts: Mapping[str, Sequence[Mapping[str, Any]]]


def user_sheet(store: Store, *, user_id: UserId, now: datetime) -> UserSheet:
    """Read everything about a user. An unknown one has a balance of zero."""
    return UserSheet(
        balance=ledger.balance_of(store, user_id, now=now),
        transactions=ledger.history(store, user_id, limit=ROWS),
        purchases=purchases.of_user(store, user_id, limit=ROWS, offset=0, older_than=None),
        jobs=job_search.find(store, JobFilter(user_id=user_id), limit=ROWS, before=None),
        parts=users.parts_of(store, user_id, limit=ROWS),
    )
