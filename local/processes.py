"""Processes of this machine: find a process's descendants, read its command line, kill it with all descendants."""

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


class ProcessInfo(NamedTuple):
    """The parent process and the process group of a running process."""

    parent: int
    group: int


def family(pid: int) -> list[int]:
    """List the process `pid`, its descendants, and the process group that it leads or has led, as far as they run."""
    running = _running()
    children: dict[int, list[int]] = {}
    for child, info in running.items():
        children.setdefault(info.parent, []).append(child)
    members = {member for member, info in running.items() if pid in {info.group, member}}
    pending = list(members)
    while pending:
        new_members = [child for child in children.get(pending.pop(), []) if child not in members]
        members.update(new_members)
        pending += new_members
    return sorted(members)


def command_line(pid: int) -> str:
    """Return the command line of a process, words separated by spaces; empty if there is no such process."""
    if PROC.is_dir():
        with contextlib.suppress(OSError):
            return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        return ""
    ps = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], check=False, capture_output=True, text=True)
    return ps.stdout.strip()


def kill_all(pids: Iterable[int], *, wait_s: float = 5.0) -> None:
    """Send SIGKILL to each process and wait until all have ended.

    Raises:
        TimeoutError: a process had not ended after `wait_s` seconds.
    """
    remaining = list(pids)
    for pid in remaining:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + wait_s
    while remaining := sorted(set(remaining) & _running().keys()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes {remaining} did not end within {wait_s:g} s of SIGKILL")
        time.sleep(0.01)


def find_program(name: str) -> Path | None:
    """Return the path of a program on PATH, with links resolved, so that the files beside it can be found."""
    path = shutil.which(name)
    return Path(path).resolve() if path else None


def _running() -> dict[int, ProcessInfo]:
    """Return the parent and group of each running process, by process id; zombies do not count."""
    return _running_from_proc() if sys.platform.startswith("linux") else _running_from_ps()


def _running_from_proc() -> dict[int, ProcessInfo]:
    running: dict[int, ProcessInfo] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                # "pid (name) state ppid pgrp …": the name may contain spaces and brackets, so read after the last ")".
                state, parent, group = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[:3]
                if state not in {"Z", "X"}:
                    running[int(entry.name)] = ProcessInfo(int(parent), int(group))
    return running


def _running_from_ps() -> dict[int, ProcessInfo]:
    command = ["ps", "-A", "-o", "pid=,ppid=,pgid=,stat="]
    ps = subprocess.run(command, check=True, capture_output=True, text=True)
    rows = (line.split(None, 3) for line in ps.stdout.splitlines())
    return {int(pid): ProcessInfo(int(parent), int(group)) for pid, parent, group, state in rows if state[0] != "Z"}
