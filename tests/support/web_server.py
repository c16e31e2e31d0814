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
def running_server(*, database_url: str, auth_url: str) -> Iterator[Server]:
    """Run a granian process as the Procfile starts it, but with one worker. It is gone when the block has ended."""
    port = free_port()
    environment = {"PATH": os.environ["PATH"], **web_environment(database_url=database_url, auth_url=auth_url)}
    options = ["--interface", "wsgi", "--factory", "--host", "127.0.0.1", "--port", str(port)]
    limits = ["--workers", "1", "--blocking-threads", "4", "--log-level", "warning"]
    # The tether ends it also when the tests are killed.
    tied = [sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), str(int(signal.SIGTERM)), "-"]
    command = [*tied, sys.executable, "-m", "granian", *options, *limits, "web.app:create_app"]
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
