"""Scheduled work on many rows: each row in its own transaction, so that no failing row stops the others."""

import time
from collections.abc import Callable
from typing import Final
from uuid import UUID

import structlog

from domain.store import Reader, Store
from domain.store.paging import Position
from gateways.errors import RetryableError
from process.parts import WorkerParts

BATCH: Final = 500
WORK_S: Final = 20.0
"""How long one job goes on; less than its lease. The job of the next minute does what is left."""

log = structlog.get_logger()


def act_on_due(
    parts: WorkerParts,
    *,
    find: Callable[[Reader, Position | None], list[Position]],
    act: Callable[[Store, UUID], bool],
) -> int:
    """Act on every due row; returns on how many.

    Args:
        find: Finds a batch of due rows behind a position.
        act: Locks one row, checks that it is still due, and acts; returns whether it did.

    Raises:
        RetryableError: some rows could not be acted on. All others were.
    """
    done, failed = 0, 0
    behind: Position | None = None
    until = time.monotonic() + WORK_S
    while time.monotonic() < until:
        with parts.database.read() as reader:
            batch = find(reader, behind)
        if not batch:
            break
        for _, row_id in batch:
            try:
                with parts.database.begin() as store:
                    done += act(store, row_id)
            except Exception as error:  # noqa: BLE001 - the outermost frame of one row's act
                # Not the message: it may quote the row.
                log.warning("row_left", row_id=str(row_id), error=type(error).__name__)
                failed += 1
        behind = batch[-1]
    if failed:
        raise RetryableError(f"{failed} rows could not be acted on, {done} were")
    return done
