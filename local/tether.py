"""Become another program that dies with the process that asked for it.

Run as a script, by path, so that it starts fast and needs nothing but the standard library:

    python -I -S tether.py PARENT_PID DEATH_SIGNAL UID:GID|- PROGRAM ARGUMENTS…

On Linux it arranges that the kernel sends DEATH_SIGNAL when the parent is gone. It gives up root for UID:GID where
asked, and then replaces itself by PROGRAM, so that the process id stays the same.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 8, 47, 2
CAPABILITY_VERSION_3, CAP_DAC_OVERRIDE = 0x20080522, 1


def tie_to_parent(parent_pid: int, death_signal: int) -> None:
    """Ask the kernel to send `death_signal` to this process when `parent_pid` ends; leave at once if it already has."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent_pid:
        sys.exit(f"tether: process {parent_pid} has ended before its child began")


def leave_root(uid: int, gid: int) -> None:
    """Become another user, keeping only (where Linux allows it) the right to pass through directories of root.

    The project may live below a directory that only root may enter, such as /root; PostgreSQL only asks not to *be*
    root.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    kept = 1 << CAP_DAC_OVERRIDE
    sets = (ctypes.c_uint32 * 6)(kept, kept, kept, 0, 0, 0)
    if libc.capset(header, sets) == 0:
        libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)


def main(arguments: list[str]) -> None:
    """Tie, change the user where asked, and become the program."""
    parent_pid, death_signal, user, *command = arguments
    if user != "-":
        uid, _, gid = user.partition(":")
        leave_root(int(uid), int(gid))
    tie_to_parent(int(parent_pid), int(death_signal))  # after the change of user, which would undo it
    os.execvp(command[0], command)  # noqa: S606 (no shell is the point)


if __name__ == "__main__":
    main(sys.argv[1:])
