"""Keep a program running: `python -m process.supervise PROGRAM ARGUMENTS…`.

Restarts the program whenever it ends by itself. A SIGTERM, SIGINT or SIGHUP is forwarded to it; then we end with it,
with its exit status. It stays in our process group, so that a signal to the group ends both. Each start gets an empty
directory of its own in `PROMETHEUS_MULTIPROC_DIR`, so that the metrics of dead processes do not pile up.

On Linux the program gets SIGTERM when we die, and orphans it leaves behind are killed before the next start: the
children of a server that was killed would otherwise hold its port.
"""

import contextlib
import ctypes
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
BACKOFF_FIRST_S, BACKOFF_MAX_S = 0.2, 5.0
HEALTHY_AFTER_S = 10.0  # a program that lived this long is started again without much waiting
ENDS_WITHIN_S = 30.0
FORWARDED = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
AWAITED = FORWARDED | {signal.SIGCHLD, signal.SIGALRM}
ON_LINUX = sys.platform.startswith("linux")


def keep(command: list[str]) -> int:
    """Run the program again and again until we are asked to end; return our exit status."""
    backoff_s = BACKOFF_FIRST_S
    while True:
        started = time.monotonic()
        status, asked_to_end = run_once(command)
        if time.monotonic() - started >= HEALTHY_AFTER_S:
            backoff_s = BACKOFF_FIRST_S
        if asked_to_end or pause(backoff_s):
            return status
        backoff_s = min(backoff_s * 2, BACKOFF_MAX_S)


def run_once(command: list[str]) -> tuple[int, bool]:
    """Run the program to its end; return its exit status as a shell would, and whether we were asked to end."""
    metrics = tempfile.mkdtemp(prefix="metrics-")
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": metrics}
    setup = functools.partial(become_child, os.getpid())
    try:
        program = subprocess.Popen(command, env=environment, preexec_fn=setup)  # noqa: PLW1509 (one thread)
        log("started", pid=program.pid, program=command[0])
        asked_to_end = forward_until_ended(program)
        code = program.returncode
        log("ended", pid=program.pid, program=command[0], code=code)
        return (code if code >= 0 else 128 - code), asked_to_end
    except OSError as error:
        log("not started", program=command[0], error=str(error))
        return 127, False
    finally:
        kill_orphans()
        shutil.rmtree(metrics, ignore_errors=True)


def forward_until_ended(program: subprocess.Popen[bytes]) -> bool:
    """Forward signals until the program has ended, killing it 30 s after the first; tell whether there was one."""
    asked_to_end = False
    while program.poll() is None:
        received = signal.sigwait(AWAITED)
        if received == signal.SIGALRM:
            program.kill()
        elif received in FORWARDED:
            program.send_signal(received)
            if not asked_to_end:
                signal.setitimer(signal.ITIMER_REAL, ENDS_WITHIN_S)
            asked_to_end = True
    return asked_to_end


def pause(seconds: float) -> bool:
    """Wait before the next start; tell whether we were asked to end meanwhile."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    while (received := signal.sigwait(AWAITED)) == signal.SIGCHLD:
        pass
    signal.setitimer(signal.ITIMER_REAL, 0)
    return received in FORWARDED


def become_child(parent: int) -> None:
    """Set up the new process before it becomes the program: signals open again, and an end when `parent` ends."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, AWAITED)
    if ON_LINUX:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)


def kill_orphans() -> None:
    """Kill and collect every process that the program left behind; as its subreaper we are their parent now."""
    while orphans := children():
        for pid in orphans:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
        log("killed orphans", pids=orphans)


def children() -> list[int]:
    """List our child processes (none where the system has no /proc)."""
    pids = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # "pid (name) state ppid …": the name may hold blanks and brackets.
            parent = stat.read_text(errors="replace").rpartition(")")[2].split()[1]
            if int(parent) == os.getpid():
                pids.append(int(stat.parent.name))
    return pids


def log(event: str, **facts: object) -> None:
    """Write one JSON line to standard error."""
    line = {"event": event, "logger": "keep", "time": round(time.time(), 3), **facts}
    print(json.dumps(line), file=sys.stderr, flush=True)


def main() -> None:
    """Run as a program."""
    if not sys.argv[1:]:
        sys.exit("usage: python -m process.supervise PROGRAM ARGUMENTS…")
    if ON_LINUX:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    # Blocked, to be taken by sigwait: no signal can fall into a gap between two steps.
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)  # else some systems drop it
    signal.pthread_sigmask(signal.SIG_BLOCK, AWAITED)
    sys.exit(keep(sys.argv[1:]))


if __name__ == "__main__":
    main()
