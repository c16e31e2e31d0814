"""The books of a period, for a bookkeeper."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from domain.rules.bookkeeping import Period
from domain.store import Store
from domain.store import bookkeeping as rows


def period(store: Store, *, begin: datetime, end: datetime) -> Period:
    """Read the books of the period `[begin, end)`."""
    return rows.read_period(store, begin=begin, end=end)


def ledger_of(store: Store, *, begin: datetime, end: datetime) -> Iterator[dict[str, Any]]:
    """Read the transactions of the period, by user and in their order."""
    return rows.ledger_rows(store, begin=begin, end=end)


def purchases_in(store: Store, *, begin: datetime, end: datetime) -> Iterator[dict[str, Any]]:
    """Read the purchases that were started or completed in the period."""
    return rows.purchase_rows(store, begin=begin, end=end)
