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

PROC = Path("/proc")


def descendants(pid: int) -> list[int]:
    """List the living processes below `pid`: its children, theirs, and so on, without `pid` itself."""
    children: dict[int, list[int]] = {}
    for child, parent in _parents().items():
        children.setdefault(parent, []).append(child)
    found: list[int] = []
    pending = [pid]
    while pending:
        below = children.get(pending.pop(), [])
        found += below
        pending += below
    return found


def is_alive(pid: int) -> bool:
    """Tell whether the process exists and is more than an entry that its parent has not yet collected."""
    return pid in _parents()


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
    while waiting := sorted(set(waiting) & _parents().keys()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes {waiting} did not end within {wait_s:g} s of SIGKILL")
        time.sleep(0.01)


def find_program(name: str) -> Path | None:
    """Find a program on PATH, links resolved, so that what belongs to it can be found beside it."""
    found = shutil.which(name)
    return Path(found).resolve() if found else None


def _parents() -> dict[int, int]:
    """Map each living process to its parent."""
    return _parents_from_proc() if sys.platform.startswith("linux") else _parents_from_ps()


def _parents_from_proc() -> dict[int, int]:
    parents: dict[int, int] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                # "pid (name) state ppid …": the name may hold blanks and brackets, so look behind its last bracket.
                state, parent = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
                if state not in {"Z", "X"}:
                    parents[int(entry.name)] = int(parent)
    return parents


def _parents_from_ps() -> dict[int, int]:
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat="], check=True, capture_output=True, text=True)
    rows = (line.split(None, 2) for line in listed.stdout.splitlines())
    return {int(pid): int(parent) for pid, parent, state in rows if not state.startswith("Z")}
