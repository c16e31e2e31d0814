"""Run a program that ends when the process that started it ends.

A tether is this tie between a program and its parent process: when the parent ends, however it ends, the kernel ends
the program. This file runs as a script, by its path, so that it starts fast and needs only the standard library:

    python -I -S tether.py PARENT_PID DEATH_SIGNAL UID:GID|- PROGRAM ARGUMENTS…

On Linux it asks the kernel to send DEATH_SIGNAL when the parent has ended. If UID:GID is given, it changes from root to
that user and group. Then it replaces itself by PROGRAM, so that the process id stays the same.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 8, 47, 2
CAPABILITY_VERSION_3, CAP_DAC_OVERRIDE = 0x20080522, 1


def tie_to_parent(parent_pid: int, death_signal: int) -> None:
    """Ask the kernel to send `death_signal` to this process when `parent_pid` ends; exit at once if it has ended."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent_pid:
        sys.exit(f"tether: process {parent_pid} has ended before its child began")


def leave_root(uid: int, gid: int) -> None:
    """Change from root to another user, who may (where Linux allows it) still enter the directories of root.

    The project may be below a directory that only root may enter, such as /root; PostgreSQL only refuses to *be* root.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    capability = 1 << CAP_DAC_OVERRIDE
    capability_sets = (ctypes.c_uint32 * 6)(capability, capability, capability, 0, 0, 0)
    if libc.capset(header, capability_sets) == 0:
        libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)


def main(arguments: list[str]) -> None:
    """Change the user if one is given, tie this process to its parent, and replace it by the program."""
    parent_pid, death_signal, user, *command = arguments
    if user != "-":
        uid, _, gid = user.partition(":")
        leave_root(int(uid), int(gid))
    tie_to_parent(int(parent_pid), int(death_signal))  # after the change of user, which would undo it
    os.execvp(command[0], command)  # noqa: S606 (no shell is the point)


if __name__ == "__main__":
    main(sys.argv[1:])
