"""CPU time and memory of a program and its children, read from /proc."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")
_PAGE_MB: Final = os.sysconf("SC_PAGE_SIZE") / 1_000_000


def cpu_seconds(*roots: int) -> float:
    """Add up user and system time of these processes and their descendants, with children that have ended."""
    return sum(sum(int(ticks) for ticks in fields[11:15]) * _TICK_S for fields in _stat_fields(roots))


def resident_mb(*roots: int) -> float:
    """Add up the resident memory of these processes and their descendants. Shared memory counts for each."""
    return sum(int(fields[21]) * _PAGE_MB for fields in _stat_fields(roots))


def _stat_fields(roots: tuple[int, ...]) -> Iterator[list[str]]:
    """Read `/proc/<pid>/stat`, from the state on, of these processes and their descendants."""
    stats: dict[int, list[str]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            stats[int(stat.parent.name)] = stat.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
    return (fields for pid, fields in stats.items() if _is_below(pid, set(roots), stats))


def _is_below(pid: int, roots: set[int], stats: dict[int, list[str]]) -> bool:
    while pid > 1:
        if pid in roots:
            return True
        pid = int(stats[pid][1]) if pid in stats else 0
    return False
