"""Keep a program running: `python -m ops.keep PROGRAM ARGUMENTS…`.

Restarts the program whenever it ends by itself. A SIGTERM, SIGINT or SIGHUP is forwarded to it; then its end is ours, with
its exit status. It stays in our process group, so that whoever ends the group ends both. Each start gets an empty directory
of its own in `PROMETHEUS_MULTIPROC_DIR`, so that the metrics of dead processes do not pile up.

On Linux the program gets SIGTERM when we die, and orphans that it leaves behind are killed before the next start: children
of a server that was killed would else hold its port.
"""

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
BACKOFF_FIRST_S, BACKOFF_MAX_S = 0.2, 5.0
HEALTHY_AFTER_S = 10.0  # a program that lived this long starts again without much waiting
ENDS_WITHIN_S = 30.0
FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
ON_LINUX = sys.platform.startswith("linux")


class Keeper:
    """One program, its restarts and its end."""

    def __init__(self, command: list[str]) -> None:
        self.command = command
        self.program: subprocess.Popen[bytes] | None = None
        self.end_by: float | None = None  # monotonic seconds, once we were asked to end

    def run(self) -> int:
        """Run until asked to end; give the exit status for this process."""
        if ON_LINUX:
            ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        for forwarded in FORWARDED:
            signal.signal(forwarded, self.forward)
        backoff_s, status = BACKOFF_FIRST_S, 0
        while self.end_by is None:
            started = time.monotonic()
            status = self.run_once()
            backoff_s = BACKOFF_FIRST_S if time.monotonic() - started >= HEALTHY_AFTER_S else backoff_s
            resume_at = time.monotonic() + backoff_s
            while self.end_by is None and time.monotonic() < resume_at:
                time.sleep(0.02)
            backoff_s = min(backoff_s * 2, BACKOFF_MAX_S)
        return status

    def run_once(self) -> int:
        """Run the program to its end; give its exit status as a shell would."""
        metrics = tempfile.mkdtemp(prefix="metrics-")
        try:
            self.program = start(self.command, {**os.environ, "PROMETHEUS_MULTIPROC_DIR": metrics})
            log("started", pid=self.program.pid, program=self.command[0])
            if self.end_by is not None:  # the signal came just before there was a program to forward it to
                self.program.terminate()
            code = self.wait()
            log("ended", pid=self.program.pid, program=self.command[0], code=code)
            return code if code >= 0 else 128 - code
        except OSError as error:
            log("not started", program=self.command[0], error=str(error))
            return 127
        finally:
            self.program = None
            kill_orphans()
            shutil.rmtree(metrics, ignore_errors=True)

    def wait(self) -> int:
        """Wait for the program's end, and from the moment we are to end ourselves at most 30 s."""
        assert self.program
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return self.program.wait(0.1)
            if self.end_by is not None and time.monotonic() > self.end_by:
                self.program.kill()

    def forward(self, number: int, _frame: FrameType | None) -> None:
        """Hand a signal on to the program, and remember that we are to end."""
        self.end_by = self.end_by or time.monotonic() + ENDS_WITHIN_S
        if self.program:
            self.program.send_signal(number)


def start(command: list[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start the program so that it is asked to end when we die."""
    parent = os.getpid()

    def tie() -> None:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return subprocess.Popen(command, env=environment, preexec_fn=tie if ON_LINUX else None)  # noqa: PLW1509 (one thread)


def kill_orphans() -> None:
    """Kill and collect every process that the program left behind; as its subreaper we are their parent now."""
    while orphans := children():
        for pid in orphans:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
        log("killed orphans", pids=orphans)


def children() -> list[int]:
    """List our child processes, as far as the system tells."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat") if ON_LINUX else ():
        with contextlib.suppress(OSError):
            # "pid (name) state ppid …": the name may hold blanks and brackets.
            parent = stat.read_text(errors="replace").rpartition(")")[2].split()[1]
            if int(parent) == os.getpid():
                found.append(int(stat.parent.name))
    return found


def log(event: str, **facts: object) -> None:
    """Write one JSON line to standard error."""
    print(
        json.dumps({"event": event, "logger": "keep", "time": round(time.time(), 3), **facts}),
        file=sys.stderr,
        flush=True,
    )


def main() -> None:
    """Run as a program."""
    if not sys.argv[1:]:
        sys.exit("usage: python -m ops.keep PROGRAM ARGUMENTS…")
    sys.exit(Keeper(sys.argv[1:]).run())


if __name__ == "__main__":
    main()
