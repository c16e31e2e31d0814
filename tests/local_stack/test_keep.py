import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local import processes

WAIT_MAX_S = 8


class Supervised:
    """A shell script that `process.supervise` runs, and the events that `process.supervise` logs."""

    def __init__(self, directory: Path, script: str) -> None:
        self._log = directory / "supervise.log"
        command = [sys.executable, "-m", "process.supervise", "bash", "-c", script]
        with self._log.open("wb") as log:
            self.supervisor = subprocess.Popen(command, stderr=log, stdout=log, cwd=Path(__file__).parents[2])

    def lines(self) -> list[str]:
        return self._log.read_text().splitlines()

    def events(self, name: str) -> list[dict[str, Any]]:
        events = [json.loads(line) for line in self.lines() if line.startswith("{") and line.endswith("}")]
        return [event for event in events if event["event"] == name]

    def wait_for(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WAIT_MAX_S
        while not condition():
            assert time.monotonic() < deadline, self.lines()
            time.sleep(0.02)

    def end(self) -> int:
        self.supervisor.terminate()
        return self.supervisor.wait(WAIT_MAX_S)


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[[str], Supervised]]:
    started: list[Supervised] = []

    def start(script: str) -> Supervised:
        started.append(Supervised(tmp_path, script))
        return started[-1]

    yield start
    for supervised in started:
        if supervised.supervisor.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                supervised.end()
            supervised.supervisor.kill()
            supervised.supervisor.wait()


def test_a_killed_program_is_started_again(supervise: Callable[[str], Supervised]) -> None:
    supervised = supervise("exec sleep 60")
    supervised.wait_for(lambda: len(supervised.events("started")) == 1)

    processes.kill_all([supervised.events("started")[0]["pid"]])

    supervised.wait_for(lambda: len(supervised.events("started")) == 2)
    assert supervised.events("ended")[0]["code"] == -signal.SIGKILL


def test_a_program_that_ends_well_is_started_again_too(supervise: Callable[[str], Supervised]) -> None:
    supervised = supervise("exit 0")

    supervised.wait_for(lambda: len(supervised.events("started")) == 3)

    times = [event["time"] for event in supervised.events("started")]
    assert times[1] - times[0] >= 0.2
    assert times[2] - times[1] >= 0.4


def test_sigterm_is_forwarded_and_the_programs_status_is_ours(supervise: Callable[[str], Supervised]) -> None:
    supervised = supervise("trap 'echo heard; exit 7' TERM; echo ready; while true; do sleep 0.05; done")
    supervised.wait_for(lambda: "ready" in supervised.lines())

    status = supervised.end()

    assert status == 7
    assert supervised.lines().count("heard") == 1
    assert len(supervised.events("started")) == 1


def test_the_end_does_not_wait_for_the_next_start(supervise: Callable[[str], Supervised]) -> None:
    supervised = supervise("exit 3")
    supervised.wait_for(lambda: len(supervised.events("ended")) == 5)  # the next start would be 3.2 s away

    started_at = time.monotonic()
    status = supervised.end()

    assert status == 3
    assert time.monotonic() - started_at < 2


def test_orphans_are_killed_before_the_next_start(supervise: Callable[[str], Supervised]) -> None:
    # The grandchild leaves its group and its session, as a server's workers may.
    supervised = supervise("setsid sleep 61 & sleep 0.3; kill -9 $$")

    supervised.wait_for(lambda: len(supervised.events("started")) == 2)

    orphans = [pid for event in supervised.events("killed orphans") for pid in event["pids"]]
    assert orphans
    assert not [pid for pid in orphans if "sleep 61" in processes.command_line(pid)]


def test_each_start_has_an_empty_directory_for_metrics(supervise: Callable[[str], Supervised]) -> None:
    supervised = supervise('echo "at $PROMETHEUS_MULTIPROC_DIR"; touch "$PROMETHEUS_MULTIPROC_DIR/counter.db"; exit 1')
    supervised.wait_for(lambda: len(supervised.events("ended")) == 2)
    supervised.end()

    directories = [Path(line.removeprefix("at ")) for line in supervised.lines() if line.startswith("at ")]
    assert len(set(directories)) == len(directories)
    assert not [directory for directory in directories if directory.exists()]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_a_program_is_asked_to_end_when_its_keeper_was_killed(supervise: Callable[[str], Supervised]) -> None:
    supervised = supervise("exec sleep 62")
    supervised.wait_for(lambda: len(supervised.events("started")) == 1)
    pid = supervised.events("started")[0]["pid"]

    supervised.supervisor.kill()
    supervised.supervisor.wait()

    supervised.wait_for(lambda: "sleep 62" not in processes.command_line(pid))
