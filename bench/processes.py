"""What a program and its children use of the machine, read from /proc."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")
_PAGE_MB: Final = os.sysconf("SC_PAGE_SIZE") / 1_000_000


def cpu_seconds(*roots: int) -> float:
    """Add up user and system time of these processes and all below them, ended children included."""
    return sum(sum(int(ticks) for ticks in told[11:15]) * _TICK_S for told in _told_by(roots))


def resident_mb(*roots: int) -> float:
    """Add up the resident memory of these processes and all below them; what they share counts for each."""
    return sum(int(told[21]) * _PAGE_MB for told in _told_by(roots))


def _told_by(roots: tuple[int, ...]) -> Iterator[list[str]]:
    """Read `/proc/<pid>/stat`, from the state on, of these processes and all below them."""
    told: dict[int, list[str]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            told[int(stat.parent.name)] = stat.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
    return (facts for pid, facts in told.items() if _is_below(pid, set(roots), told))


def _is_below(pid: int, roots: set[int], told: dict[int, list[str]]) -> bool:
    while pid > 1:
        if pid in roots:
            return True
        pid = int(told[pid][1]) if pid in told else 0
    return False
