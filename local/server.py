"""A server of the local stack: a process that is started, awaited until it is ready, and ended with its children."""

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
POLL_EVERY_S = 0.05
LOG_TAIL_BYTES = 4_000


class ServerFailed(RuntimeError):
    """A server did not become ready. The message contains the end of its log."""


class Server(abc.ABC):
    """A program that listens on a port of the loopback interface and keeps its data in a directory.

    On Linux the kernel ends it when the thread that called `start()` ends, so call `start()` from a thread that lives
    as long as the server is needed. The same directory can be used again, even after the server was killed.

    Attributes:
        directory: Where the server keeps its files; created if it does not exist.
        port: Where it listens; `None` until the first start unless it was given.
        log_file: The file to which the program's output is appended.
        environment: The program's environment variables; `None` takes those of this process.
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
        self._is_stopping = False

    @abc.abstractmethod
    def command(self) -> list[str]:
        """Return the command line, which must contain the text `identity()`; `self.port` is already set."""

    @abc.abstractmethod
    def identity(self) -> str:
        """Return a text that only this server's command line contains, such as the path of its data."""

    @abc.abstractmethod
    def is_ready(self) -> bool:
        """Return whether this server's process, and not another one on the same port, answers requests."""

    def prepare(self) -> None:  # noqa: B027 (most servers need none)
        """Create what the program needs to start."""

    def clean_up(self) -> None:  # noqa: B027 (most servers need none)
        """Remove what is not needed after the program's end."""

    def user(self) -> str:
        """Return the user and group that the program must change to, as `uid:gid`; `-` for no change."""
        return "-"

    @property
    def pid(self) -> int | None:
        """The process id; `None` while it does not run."""
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def is_running(self) -> bool:
        """Whether the process runs."""
        return self.pid is not None

    def start(self) -> Self:
        """Start the server and wait until it is ready. Do nothing if it runs.

        Raises:
            ServerFailed: it ended, or was not ready within 60 s.
        """
        for is_last_try in [False] * (START_TRIES - 1) + [True]:
            self.launch()
            try:
                self.wait_until_ready()
            except ServerFailed:
                self.kill()
                if is_last_try or not self._may_succeed_later():
                    raise
            except BaseException:  # Ctrl-C during the start: leave no process running
                self.kill()
                raise
            else:
                return self
        raise AssertionError("unreachable: the last try returns or raises")

    def launch(self) -> None:
        """Start the process without waiting; call `wait_until_ready()` afterwards."""
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
                start_new_session=True,  # Ctrl-C in a terminal reaches only this process, which stops the servers
            )
        (self.directory / "pid").write_text(f"{self._process.pid}\n", encoding="ascii")

    def take_port(self) -> int:
        """Choose the port and return it: the one that was given, is in use by this server, or is still free."""
        if self.is_running:
            return int(self.port or 0)
        if self.port is None or (self._port_is_ours_to_choose and not ports.is_free(self.port)):
            self.port = ports.remembered_port(self.directory / "port")
        return self.port

    def working_directory(self) -> Path:
        """Return the directory the program runs in."""
        return self.directory

    def tethered(self, command: list[str]) -> list[str]:
        """Return a command line that starts `command` tied to this process: it ends when this process ends."""
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
            time.sleep(POLL_EVERY_S)

    def stop(self) -> None:
        """Send the stop signal and wait until the server and all its children have ended; do nothing if they have."""
        self.ask_to_stop()
        self.wait_until_stopped()

    def ask_to_stop(self) -> None:
        """Send the stop signal once, without waiting; call `wait_until_stopped()` afterwards."""
        if self._process is not None and not self._is_stopping:
            self._is_stopping = True
            self._process.send_signal(self.stop_signal)

    def wait_until_stopped(self) -> None:
        """Wait until the server and all its children have ended; kill them after `ends_within_s` seconds."""
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(self.ends_within_s)
            self.kill()

    def exit_status(self) -> int | None:
        """Wait until the launched program ends by itself, and return its exit status; `None` if none was launched."""
        return self._process.wait() if self._process else None

    def kill(self) -> None:
        """Kill the server and its children by SIGKILL, as a crash would."""
        if self._process is None:
            return
        pids = self.members()
        self._process.kill()
        self._process.wait()
        processes.kill_all({*pids, *processes.family(self._process.pid)})
        self._process, self._is_stopping = None, False
        (self.directory / "pid").unlink(missing_ok=True)
        self.clean_up()

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, such as SIGSTOP or SIGCONT, to the process and all its descendants."""
        for pid in self.members():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def members(self) -> list[int]:
        """List the ids of the process and its descendants, as far as they run."""
        return processes.family(self._process.pid) if self._process else []

    def log_tail(self) -> str:
        """Return the end of the log, at most 4,000 bytes written since the last start."""
        with contextlib.suppress(FileNotFoundError):
            output = self.log_file.read_bytes()[self._log_start :]
            return output[-LOG_TAIL_BYTES:].decode(errors="replace").strip()
        return "(no log)"

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _end_leftover(self) -> None:
        """Kill a server that an earlier run left behind, if its process id and its command line match."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            pid = int((self.directory / "pid").read_text(encoding="ascii"))
            if self.identity() in processes.command_line(pid):
                processes.kill_all(processes.family(pid))
            (self.directory / "pid").unlink()

    def _may_succeed_later(self) -> bool:
        """Return whether another try may succeed; if the port was taken, the next try chooses another port."""
        if any(reason in self.log_tail() for reason in self.transient_failures):
            time.sleep(RETRY_AFTER_S)
            return True
        if not self._port_is_ours_to_choose or self.port is None or ports.is_free(self.port):
            return False
        self.port = None
        return True
