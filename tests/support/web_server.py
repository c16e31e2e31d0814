"""A web server of the API in a process of its own, for what only a real server shows."""

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Final

from local import tether
from local.ports import free_port
from tests.support.environment import web_environment
from tests.support.paths import ROOT

READY_WITHIN_S: Final = 60.0


@dataclass(frozen=True, kw_only=True)
class Server:
    """A web server of this API: where it listens, and the database behind it."""

    port: int
    database_url: str


@contextmanager
def running_server(*, database_url: str, auth_url: str, open_files: int | None = None) -> Iterator[Server]:
    """Run the web server as the Procfile starts it. It is gone when the block has ended.

    Args:
        open_files: How many files each of its processes may open, if not as many as ours.
    """
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "PORT": str(port),
        **web_environment(database_url=database_url, auth_url=auth_url),
    }
    # The tether ends it also when the tests are killed.
    tied = [sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), str(int(signal.SIGTERM)), "-"]
    command = [*tied, sys.executable, "-m", "web.server"]
    if open_files is not None:
        command = ["/bin/bash", "-c", f'ulimit -n {open_files} && exec "$@"', "bash", *command]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        _wait_until_ready(port, process)
        yield Server(port=port, database_url=database_url)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            # The group is ours alone: the server and its worker.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_until_ready(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
            try:
                connection.request("GET", "/health")
                if connection.getresponse().status == 200:
                    return
            except OSError:
                time.sleep(0.05)
    raise AssertionError("the web server did not become ready")
