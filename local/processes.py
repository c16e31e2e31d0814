"""What runs on this machine: children of a process, what a process is, and an end for all of them."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")


class Living(NamedTuple):
    """Where a living process belongs."""

    parent: int
    group: int


def family(pid: int) -> list[int]:
    """List what runs on account of `pid`: itself, what is below it, and the process group it leads or has led."""
    living = _living()
    children: dict[int, list[int]] = {}
    for child, place in living.items():
        children.setdefault(place.parent, []).append(child)
    found = {member for member, place in living.items() if pid in {place.group, member}}
    pending = list(found)
    while pending:
        below = [child for child in children.get(pending.pop(), []) if child not in found]
        found.update(below)
        pending += below
    return sorted(found)


def command_line(pid: int) -> str:
    """Give the command line of a process, words separated by blanks; empty if there is no such process."""
    if PROC.is_dir():
        with contextlib.suppress(OSError):
            return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        return ""
    shown = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], check=False, capture_output=True, text=True)
    return shown.stdout.strip()


def kill_all(pids: Iterable[int], *, wait_s: float = 5.0) -> None:
    """Send SIGKILL to each process and wait until none of them is alive.

    Raises:
        TimeoutError: one was still there after `wait_s` seconds.
    """
    waiting = list(pids)
    for pid in waiting:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + wait_s
    while waiting := sorted(set(waiting) & _living().keys()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes {waiting} did not end within {wait_s:g} s of SIGKILL")
        time.sleep(0.01)


def find_program(name: str) -> Path | None:
    """Find a program on PATH, links resolved, so that what belongs to it can be found beside it."""
    found = shutil.which(name)
    return Path(found).resolve() if found else None


def _living() -> dict[int, Living]:
    """Map each living process to its place; what has ended but was not yet collected is not alive."""
    return _living_from_proc() if sys.platform.startswith("linux") else _living_from_ps()


def _living_from_proc() -> dict[int, Living]:
    living: dict[int, Living] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                # "pid (name) state ppid pgrp …": the name may hold blanks and brackets, so look behind its last one.
                state, parent, group = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[:3]
                if state not in {"Z", "X"}:
                    living[int(entry.name)] = Living(int(parent), int(group))
    return living


def _living_from_ps() -> dict[int, Living]:
    command = ["ps", "-A", "-o", "pid=,ppid=,pgid=,stat="]
    listed = subprocess.run(command, check=True, capture_output=True, text=True)
    rows = (line.split(None, 3) for line in listed.stdout.splitlines())
    return {int(pid): Living(int(parent), int(group)) for pid, parent, group, state in rows if state[0] != "Z"}
