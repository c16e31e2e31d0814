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

WITHIN_S = 8


class Kept:
    """A shell script under `process.supervise`, and what `process.supervise` tells of it."""

    def __init__(self, directory: Path, script: str) -> None:
        self._log = directory / "keep.log"
        command = [sys.executable, "-m", "process.supervise", "bash", "-c", script]
        with self._log.open("wb") as log:
            self.keeper = subprocess.Popen(command, stderr=log, stdout=log, cwd=Path(__file__).parents[2])

    def lines(self) -> list[str]:
        return self._log.read_text().splitlines()

    def told(self, event: str) -> list[dict[str, Any]]:
        events = [json.loads(line) for line in self.lines() if line.startswith("{") and line.endswith("}")]
        return [told for told in events if told["event"] == event]

    def wait_for(self, is_so: Callable[[], bool]) -> None:
        until = time.monotonic() + WITHIN_S
        while not is_so():
            assert time.monotonic() < until, self.lines()
            time.sleep(0.02)

    def end(self) -> int:
        self.keeper.terminate()
        return self.keeper.wait(WITHIN_S)


@pytest.fixture
def keep(tmp_path: Path) -> Iterator[Callable[[str], Kept]]:
    started: list[Kept] = []

    def start(script: str) -> Kept:
        started.append(Kept(tmp_path, script))
        return started[-1]

    yield start
    for kept in started:
        if kept.keeper.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                kept.end()
            kept.keeper.kill()
            kept.keeper.wait()


def test_a_killed_program_is_started_again(keep: Callable[[str], Kept]) -> None:
    kept = keep("exec sleep 60")
    kept.wait_for(lambda: len(kept.told("started")) == 1)

    processes.kill_all([kept.told("started")[0]["pid"]])

    kept.wait_for(lambda: len(kept.told("started")) == 2)
    assert kept.told("ended")[0]["code"] == -signal.SIGKILL


def test_a_program_that_ends_well_is_started_again_too(keep: Callable[[str], Kept]) -> None:
    kept = keep("exit 0")

    kept.wait_for(lambda: len(kept.told("started")) == 3)

    times = [told["time"] for told in kept.told("started")]
    assert times[1] - times[0] >= 0.2
    assert times[2] - times[1] >= 0.4


def test_sigterm_is_forwarded_and_the_programs_status_is_ours(keep: Callable[[str], Kept]) -> None:
    kept = keep("trap 'echo heard; exit 7' TERM; echo ready; while true; do sleep 0.05; done")
    kept.wait_for(lambda: "ready" in kept.lines())

    status = kept.end()

    assert status == 7
    assert kept.lines().count("heard") == 1
    assert len(kept.told("started")) == 1


def test_the_end_does_not_wait_for_the_next_start(keep: Callable[[str], Kept]) -> None:
    kept = keep("exit 3")
    kept.wait_for(lambda: len(kept.told("ended")) == 5)  # the next start would be 3.2 s away

    began = time.monotonic()
    status = kept.end()

    assert status == 3
    assert time.monotonic() - began < 2


def test_orphans_are_killed_before_the_next_start(keep: Callable[[str], Kept]) -> None:
    # The grandchild leaves its group and its session, as a server's workers may.
    kept = keep("setsid sleep 61 & sleep 0.3; kill -9 $$")

    kept.wait_for(lambda: len(kept.told("started")) == 2)

    orphans = [pid for told in kept.told("killed orphans") for pid in told["pids"]]
    assert orphans
    assert not [pid for pid in orphans if "sleep 61" in processes.command_line(pid)]


def test_each_start_has_an_empty_directory_for_metrics(keep: Callable[[str], Kept]) -> None:
    kept = keep('echo "at $PROMETHEUS_MULTIPROC_DIR"; touch "$PROMETHEUS_MULTIPROC_DIR/counter.db"; exit 1')
    kept.wait_for(lambda: len(kept.told("ended")) == 2)
    kept.end()

    directories = [Path(line.removeprefix("at ")) for line in kept.lines() if line.startswith("at ")]
    assert len(set(directories)) == len(directories)
    assert not [directory for directory in directories if directory.exists()]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_a_program_is_asked_to_end_when_its_keeper_was_killed(keep: Callable[[str], Kept]) -> None:
    kept = keep("exec sleep 62")
    kept.wait_for(lambda: len(kept.told("started")) == 1)
    pid = kept.told("started")[0]["pid"]

    kept.keeper.kill()
    kept.keeper.wait()

    kept.wait_for(lambda: "sleep 62" not in processes.command_line(pid))
