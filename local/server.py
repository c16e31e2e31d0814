"""A server of the local stack: one process that is ready when it says so, and leaves nothing behind."""

import abc
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from local import ports, processes, tether

READY_WITHIN_S = 60.0
START_TRIES = 4
RETRY_AFTER_S = 0.5
LOOK_EVERY_S = 0.05
LOG_TAIL_BYTES = 4_000


class ServerFailed(RuntimeError):
    """A server ended instead of becoming ready. The message has the end of its log."""


class Server(abc.ABC):
    """A program that listens on a port of the loopback interface and keeps what it knows in a directory.

    It dies with the thread that called `start()` (Linux; that is how the kernel counts parents), so start it from a
    thread that lives as long as it is needed. The same directory can be used again, also after everything was killed.

    Attributes:
        directory: Where the server keeps its files; made when it does not exist.
        port: Where it listens; `None` until the first start unless it was given.
        log_file: What the program wrote to its output, appended to.
        environment: Environment of the program; `None` is ours.
    """

    name: str
    transient_failures: tuple[str, ...] = ()
    ends_within_s: float = 30.0
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGTERM

    def __init__(self, directory: Path, *, port: int | None = None) -> None:
        self.directory = directory.absolute()
        self.port = port
        self.log_file = self.directory / "server.log"
        self.environment: Mapping[str, str] | None = None
        self._port_is_ours_to_choose = port is None
        self._log_start = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._asked_to_stop = False

    @abc.abstractmethod
    def command(self) -> list[str]:
        """Give the command line; `self.port` is set. It must contain `identity()` as a word or part of one."""

    @abc.abstractmethod
    def identity(self) -> str:
        """Give what only the command line of this very server contains, such as the path of its data."""

    @abc.abstractmethod
    def is_ready(self) -> bool:
        """Tell whether our process, and not another on the same port, serves now."""

    def prepare(self) -> None:  # noqa: B027 (most servers need none)
        """Make what the program needs to start."""

    def clean_up(self) -> None:  # noqa: B027 (most servers need none)
        """Remove what is of no use after the program's end."""

    def user(self) -> str:
        """Give `uid:gid` that the program must change to, or `-`."""
        return "-"

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        return self.pid is not None

    def start(self) -> Self:
        """Start the server and wait until it is ready. Starting a running one does nothing.

        Raises:
            ServerFailed: it ended, or was not ready within 60 s.
        """
        for last_try in [False] * (START_TRIES - 1) + [True]:
            self.launch()
            try:
                self.wait_until_ready()
            except ServerFailed:
                self.kill()
                if last_try or not self._may_succeed_later():
                    raise
            except BaseException:  # Ctrl-C while it was starting: leave nothing running
                self.kill()
                raise
            else:
                return self
        raise AssertionError("unreachable: the last try returns or raises")

    def launch(self) -> None:
        """Start the process without waiting for it: `wait_until_ready()` must follow."""
        if self.is_running:
            return
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._end_leftover()
        self.take_port()
        self.prepare()
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                self.tethered(self.command()),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.working_directory(),
                env=self.environment,
                start_new_session=True,  # Ctrl-C in a terminal is for us; we stop the server in our order
            )
        (self.directory / "pid").write_text(f"{self._process.pid}\n", encoding="ascii")

    def take_port(self) -> int:
        """Settle on a port; keep the one that was given, is in use by us, or is still free."""
        if self.is_running:
            return int(self.port or 0)
        if self.port is None or (self._port_is_ours_to_choose and not ports.is_free(self.port)):
            self.port = ports.remembered_port(self.directory / "port")
        return self.port

    def working_directory(self) -> Path:
        """Give the directory the program runs in."""
        return self.directory

    def tethered(self, command: list[str]) -> list[str]:
        """Give the command line that starts `command` so that it dies with us."""
        ties = [str(os.getpid()), str(int(self.death_signal)), self.user()]
        return [sys.executable, "-I", "-S", tether.__file__, *ties, *command]

    def wait_until_ready(self) -> None:
        """Wait until a launched server is ready.

        Raises:
            ServerFailed: it ended, or was not ready within 60 s.
        """
        deadline = time.monotonic() + READY_WITHIN_S
        while not (self.is_running and self.is_ready()):
            if not self.is_running or time.monotonic() > deadline:
                raise ServerFailed(f"{self.name} did not become ready; the end of {self.log_file}:\n{self.log_tail()}")
            time.sleep(LOOK_EVERY_S)

    def stop(self) -> None:
        """Ask the server to end, and wait until it and all its children have. Stopping twice does nothing."""
        self.ask_to_stop()
        self.wait_until_stopped()

    def ask_to_stop(self) -> None:
        """Ask the server to end, without waiting: `wait_until_stopped()` must follow. Asking twice asks once."""
        if self._process is not None and not self._asked_to_stop:
            self._asked_to_stop = True
            self._process.send_signal(self.stop_signal)

    def wait_until_stopped(self) -> None:
        """Wait until a server that was asked to end has, with all its children; kill what takes too long."""
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(self.ends_within_s)
            self.kill()

    def exit_status(self) -> int | None:
        """Wait for the launched program to end by itself, and give its exit status; `None` if none was launched."""
        return self._process.wait() if self._process else None

    def kill(self) -> None:
        """End the server and its children at once, as a crash would (SIGKILL)."""
        if self._process is None:
            return
        everybody = self.members()
        self._process.kill()
        self._process.wait()
        processes.kill_all({*everybody, *processes.family(self._process.pid)})
        self._process, self._asked_to_stop = None, False
        (self.directory / "pid").unlink(missing_ok=True)
        self.clean_up()

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the process and everything below it, such as SIGSTOP and SIGCONT."""
        for pid in self.members():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def members(self) -> list[int]:
        """List the process and everything below it, as far as they run."""
        return processes.family(self._process.pid) if self._process else []

    def log_tail(self) -> str:
        """Give the last lines of the log since the last start."""
        with contextlib.suppress(FileNotFoundError):
            written = self.log_file.read_bytes()[self._log_start :]
            return written[-LOG_TAIL_BYTES:].decode(errors="replace").strip()
        return "(no log)"

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _end_leftover(self) -> None:
        """Kill a server of an earlier run that outlived it, recognised by process id *and* command line."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            pid = int((self.directory / "pid").read_text(encoding="ascii"))
            if self.identity() in processes.command_line(pid):
                processes.kill_all(processes.family(pid))
            (self.directory / "pid").unlink()

    def _may_succeed_later(self) -> bool:
        """Tell whether another try makes sense, having chosen another port if the port was the reason."""
        if any(reason in self.log_tail() for reason in self.transient_failures):
            time.sleep(RETRY_AFTER_S)
            return True
        if not self._port_is_ours_to_choose or self.port is None or ports.is_free(self.port):
            return False
        self.port = None
        return True
