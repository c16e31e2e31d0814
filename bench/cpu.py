"""How much CPU a program and its children have used, read from /proc."""

import os
from pathlib import Path
from typing import Final

_TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")


def seconds_of(*roots: int) -> float:
    """Add up user and system time of these processes and all below them, ended children included."""
    parents: dict[int, int] = {}
    used: dict[int, float] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            told = stat.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(stat.parent.name)
        parents[pid] = int(told[1])
        used[pid] = sum(int(ticks) for ticks in told[11:15]) * _TICK_S
    return sum(seconds for pid, seconds in used.items() if _is_below(pid, set(roots), parents))


def _is_below(pid: int, roots: set[int], parents: dict[int, int]) -> bool:
    while pid > 1:
        if pid in roots:
            return True
        pid = parents.get(pid, 0)
    return False
