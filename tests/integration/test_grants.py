"""Grants on real PostgreSQL."""

import pytest

from domain.errors import KeyReused
from domain.operations.grants import grant
from domain.rules.ledger import Appended
from domain.store import Database
from domain.units import Credits, UserId
from tests.support.credits import balance
from tests.support.times import now
from tests.support.users import ANNA, BEN


def granted(database: Database, amount: int = 25, *, user_id: UserId = ANNA, reference: str = "welcome") -> Appended:
    with database.single() as store:
        return grant(
            store,
            user_id=user_id,
            amount=Credits(amount),
            reason="signup",
            reference_id=reference,
            description=None,
            now=now(),
        )


def test_a_reference_is_granted_once_per_user(database: Database) -> None:
    first = granted(database)
    again = granted(database)
    granted(database, user_id=BEN)
    granted(database, reference="birthday")

    assert (first.replayed, again.replayed) == (False, True)
    assert again.transaction.id == first.transaction.id
    assert again.balance.balance == 25
    assert balance(database) == (50, 50, 0)
    assert balance(database, BEN) == (25, 25, 0)


def test_a_reference_with_another_amount_is_refused(database: Database) -> None:
    granted(database)

    with pytest.raises(KeyReused):
        granted(database, 26)
