"""Usage statistics: counting the ledger."""

from typing import Final

from domain.store import Store
from domain.store import usage as usage_rows
from domain.units import UserId

USERS_BATCH: Final = 50
TRANSACTIONS_EACH: Final = 50_000


def count_usage(store: Store, *, after: UserId) -> UserId | None:
    """Count a batch of users whose ledger has grown, in order, from behind `after` on.

    A crash leaves either all of the batch counted or none of it; the next job finds what is not counted.

    Returns:
        The last user of the batch, behind whom to go on; `None` if no user is left.
    """
    users = usage_rows.users_behind(store, after=after, most=USERS_BATCH)
    if not users:
        return None
    usage_rows.count_up(store, users, most_each=TRANSACTIONS_EACH)
    return users[-1]
