"""The Python programs of the local stack: our own servers, and the lines of the Procfile."""

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
    """A module of ours that serves HTTP on a port of the loopback interface.

    Args:
        name: What it is called.
        module: Run as `python -m MODULE --port PORT OPTIONS…`.
        options: Further words, one of which must be a path below `directory`, by which a leftover is recognised.
    """

    def __init__(self, name: str, directory: Path, *, module: str, options: list[str]) -> None:
        super().__init__(directory)
        self.name = name
        self._module = module
        self.options = options

    def url(self) -> str:
        """Give its base address."""
        return f"http://{LOOPBACK}:{self.port}"

    def identity(self) -> str:
        """Give its directory, which no other has."""
        return f"{self.directory}/"

    def command(self) -> list[str]:
        """Give the command line."""
        return [sys.executable, "-m", self._module, "--port", str(self.port), *self.options]

    def working_directory(self) -> Path:
        """Give the project, where the module is found."""
        return PROJECT

    def is_ready(self) -> bool:
        """Tell whether it answers anything at all."""
        return status_of(self.url()) is not None


class ServiceProcess(Server):
    """A line of the Procfile, run by a shell in the project as any process runner would.

    Args:
        name: The line's name.
        directory: Where its process id is kept.
        command_text: The line's command.
        environment: All its environment variables.
        project: Where it runs.
    """

    ends_within_s = 40.0  # longer than `process.supervise` waits for the program

    def __init__(
        self, name: str, directory: Path, *, command_text: str, environment: Mapping[str, str], project: Path = PROJECT
    ) -> None:
        super().__init__(directory, port=0)  # whether it listens, and where, is its own affair
        self.name = name
        self.environment = environment
        self._command_text = command_text
        self._project = project

    def identity(self) -> str:
        """Give the end of the command, which is the same before and after the shell has become the program."""
        return self._command_text.split()[-1]

    def command(self) -> list[str]:
        """Give the command line."""
        return ["sh", "-c", self._command_text]

    def working_directory(self) -> Path:
        """Give the project."""
        return self._project

    def is_ready(self) -> bool:
        """Tell nothing: a process of the service is ready when the service says so."""
        return True

    def run_to_end(self) -> None:
        """Run the program and wait for its end.

        Raises:
            ServerFailed: it ended with another status than 0.
        """
        try:
            self.launch()
            status = self.exit_status()
        finally:
            self.kill()
        if status != 0:
            raise ServerFailed(f"{self.name} ended with status {status}; the end of its log:\n{self.log_tail()}")


def read_procfile(procfile: Path) -> dict[str, str]:
    """Read the commands of a Procfile by their names, in its order."""
    return dict(PROCFILE_LINE.findall(procfile.read_text(encoding="utf-8")))
