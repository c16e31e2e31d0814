"""Erasing a person's data, while the books stay complete."""

from collections.abc import Mapping
from datetime import datetime

from domain.errors import JobStateRefused
from domain.rules.acts import Act, ActKind
from domain.rules.addresses import comparable
from domain.store import Store, acts, users
from domain.units import UserId


def erase_user(
    store: Store, *, user_id: UserId, email: str | None, who: str, why: str, now: datetime
) -> Mapping[str, int]:
    """Blank a person's data in descriptions, metadata, payloads, errors, purchases and gifts.

    Amounts, ids and keys stay, so every invariant holds afterwards. Stripe's own data is not touched.

    Args:
        email: Also blank gifts meant for this address.

    Raises:
        BadAddress: `email` is no address.
        JobStateRefused: jobs of the user are pending or failed, so their payloads are still needed; nothing is written.
    """
    counts = dict(users.erase(store, user_id, None if email is None else comparable(email)))
    unended = counts.pop("unended_jobs")
    if unended:
        raise JobStateRefused(f"{unended} jobs of this user must end first: retry or discard them")
    acts.add(store, [Act(act=ActKind.ERASE, who=who, why=why, at=now, user_id=user_id, facts=counts)])
    return counts
