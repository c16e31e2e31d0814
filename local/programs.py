"""The Python programs of the local stack: development servers, and the processes of the Procfile."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path

from local.calls import status_of
from local.ports import LOOPBACK
from local.server import Server, ServerFailed

PROJECT = Path(__file__).parents[1]
PROCFILE_LINE = re.compile(r"^([A-Za-z0-9_-]+):\s*(.+)$", re.MULTILINE)
RELEASE = "release"


class PythonServer(Server):
    """A module of this project that serves HTTP on a port of the loopback interface.

    Args:
        name: Its name in messages.
        module: The module that runs as `python -m MODULE --port PORT OPTIONS…`.
        options: Further arguments; one must be a path below `directory`, which identifies a process that an earlier
            run left behind.
    """

    def __init__(self, name: str, directory: Path, *, module: str, options: list[str]) -> None:
        super().__init__(directory)
        self.name = name
        self._module = module
        self.options = options

    def url(self) -> str:
        """Return the server's base address."""
        return f"http://{LOOPBACK}:{self.port}"

    def identity(self) -> str:
        """Return the server's directory, which no other server uses."""
        return f"{self.directory}/"

    def command(self) -> list[str]:
        """Return the command line of the module."""
        return [sys.executable, "-m", self._module, "--port", str(self.port), *self.options]

    def working_directory(self) -> Path:
        """Return the project's directory, where Python finds the module."""
        return PROJECT

    def is_ready(self) -> bool:
        """Return whether the server answers HTTP, with any status."""
        return status_of(self.url()) is not None


class ServiceProcess(Server):
    """A process of the Procfile, started by a shell in the project's directory.

    Args:
        name: Its name in the Procfile.
        directory: Where its process id is kept.
        command_text: Its command in the Procfile, for a shell.
        environment: All its environment variables.
        project: The directory in which it runs.
    """

    ends_within_s = 40.0  # longer than `process.supervise` waits for the program

    def __init__(
        self, name: str, directory: Path, *, command_text: str, environment: Mapping[str, str], project: Path = PROJECT
    ) -> None:
        super().__init__(directory, port=0)  # its command decides whether and where it listens
        self.name = name
        self.environment = environment
        self._command_text = command_text
        self._project = project

    def identity(self) -> str:
        """Return the last word of the command: it stays when the shell replaces itself by the program."""
        return self._command_text.split()[-1]

    def command(self) -> list[str]:
        """Return the command line of the shell."""
        return ["sh", "-c", self._command_text]

    def working_directory(self) -> Path:
        """Return the project's directory."""
        return self._project

    def is_ready(self) -> bool:
        """Return true: `LocalStack.wait_until_ready` asks the service itself."""
        return True

    def run_to_end(self) -> None:
        """Run the program and wait until it ends.

        Raises:
            ServerFailed: it ended with a status other than 0.
        """
        try:
            self.launch()
            status = self.exit_status()
        finally:
            self.kill()
        if status != 0:
            raise ServerFailed(f"{self.name} ended with status {status}; the end of its log:\n{self.log_tail()}")


def read_procfile(procfile: Path) -> dict[str, str]:
    """Return the commands of a Procfile by process name, in the order of the file."""
    return dict(PROCFILE_LINE.findall(procfile.read_text(encoding="utf-8")))
