"""Scheduled work on many rows: each in its own transaction, one's trouble never another's, within a bounded time."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog

from domain.store import Reader, Store
from gateways.errors import RetryableError
from process.parts import WorkerParts

BATCH: Final = 500
WORK_S: Final = 20.0
"""How long one job goes on; less than its lease. The job of the next minute does what is left."""

Position = tuple[datetime, UUID]

log = structlog.get_logger()


def act_on_due(
    parts: WorkerParts,
    *,
    find: Callable[[Reader, Position | None], list[Position]],
    act: Callable[[Store, UUID], bool],
) -> int:
    """Act on every due row; returns on how many.

    Args:
        find: Finds a batch of due rows, from behind a position on.
        act: Locks one row, looks whether it is still due, and acts; a crash leaves it done or untouched.

    Raises:
        RetryableError: some rows could not be acted on. All others were.
    """
    done, troubled = 0, 0
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
                troubled += 1
        behind = batch[-1]
    if troubled:
        raise RetryableError(f"{troubled} rows could not be acted on, {done} were")
    return done
