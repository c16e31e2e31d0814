import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from local import processes
from local.calls import status_of
from local.logbook import Logbook
from local.ports import free_port
from local.programs import PROJECT, read_procfile
from local.server import ServerFailed
from local.stack import AlreadyRunning, LocalStack, Part
from local.state import NotRunning, read_state
from tests.support.local_stripe import wait_until

PARTS: tuple[Part, ...] = ("issuer", "processes")
WEB = """
import http.server, os, sys
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if os.path.exists("released") else 503); self.end_headers()
    def log_message(self, *_): pass
print("port", os.environ["PORT"], flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Ready).serve_forever()
"""
PROCFILE = """
# A service as small as can be.
release: sleep 0.1 && echo "$MANA_SERVICE_KEY" > released
web: exec python -m process.supervise python web.py
worker: exec sleep 63
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    directory = tmp_path / "project"
    directory.mkdir()
    (directory / "Procfile").write_text(PROCFILE)
    (directory / "web.py").write_text(WEB)
    return directory


@pytest.fixture
def stack(tmp_path: Path, project: Path) -> Iterator[LocalStack]:
    stack = LocalStack(tmp_path / "state", parts=PARTS, project=project, environment={"PYTHONPATH": str(PROJECT)})
    yield stack
    stack.stop()


def running(directory: Path) -> list[str]:
    """List the command lines of the processes that run in the directory or have it on their command line."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    command_lines = {pid: processes.command_line(pid) for pid in pids}
    return [line for pid, line in command_lines.items() if str(directory) in f"{working_directory(pid)} {line}"]


def working_directory(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/cwd").readlink())
    except OSError:
        return ""


def test_release_has_ended_before_the_other_lines_begin(stack: LocalStack, project: Path) -> None:
    with stack:
        assert list(stack.processes) == ["web", "worker"]
        assert (project / "released").read_text().strip() == stack.env["MANA_SERVICE_KEY"]
        assert stack.log_file("web").read_text().splitlines()[-1] == f"port {stack.env['PORT']}"


def test_release_gets_the_owners_login_and_the_other_lines_the_services_alone(tmp_path: Path, project: Path) -> None:
    (project / "Procfile").write_text(
        "release: printenv > released\nweb: printenv > web.env; exec python -m process.supervise python web.py\n"
    )
    parts: tuple[Part, ...] = ("postgres", *PARTS)

    with LocalStack(tmp_path / "s", parts=parts, project=project, environment={"PYTHONPATH": str(PROJECT)}) as stack:
        release, web = ((project / name).read_text().splitlines() for name in ("released", "web.env"))
        owner, service = stack.env["MIGRATION_DATABASE_URL"], stack.env["DATABASE_URL"]

        assert f"MIGRATION_DATABASE_URL={owner}" in release
        assert {f"DATABASE_URL={service}", "MIGRATION_DATABASE_URL="} <= set(web)
        for url, owns in ((owner, True), (service, False)):
            with psycopg.connect(url) as connection:
                right = "SELECT rolsuper, has_database_privilege(current_database(), 'CREATE') FROM pg_roles"
                row = connection.execute(f"{right} WHERE rolname = session_user").fetchone()
            assert row == (False, owns)


def test_a_stopped_stack_leaves_nothing_running(stack: LocalStack, tmp_path: Path) -> None:
    stack.start()
    members = [pid for member in stack.everything().values() for pid in member.members()]

    stack.stop()

    assert len(members) >= 4
    assert not [pid for pid in members if pid in processes.family(pid)]
    assert running(tmp_path) == []
    with pytest.raises(NotRunning):
        read_state(stack.directory)


def test_the_next_start_has_the_same_ports_and_secrets(stack: LocalStack) -> None:
    with stack:
        first = dict(stack.env)

    with stack:
        assert stack.env == first


def test_a_killed_process_is_started_again_by_name(stack: LocalStack) -> None:
    with stack:
        before = stack.processes["web"].pid

        stack.processes["web"].kill()
        status_while_killed = status_of(f"{stack.base_url}/ready")
        stack.restart("web")
        stack.wait_until_ready()

        assert status_while_killed is None
        assert stack.processes["web"].pid != before


def test_a_second_stack_in_the_same_directory_is_refused(stack: LocalStack, project: Path) -> None:
    with stack:
        second = LocalStack(stack.directory, parts=PARTS, project=project)

        with pytest.raises(AlreadyRunning, match=str(stack.directory)):
            second.start()
        second.stop()

        assert status_of(f"{stack.base_url}/ready") == 200
        assert read_state(stack.directory)["pid"] == os.getpid()


def test_a_release_that_fails_stops_everything_and_says_why(stack: LocalStack, project: Path, tmp_path: Path) -> None:
    (project / "Procfile").write_text("release: echo no such table >&2; exit 4\nweb: exec sleep 63\n")

    with pytest.raises(ServerFailed, match=r"release ended with status 4.*\n.*no such table"):
        stack.start()

    assert running(tmp_path) == []


def test_a_process_that_ends_at_once_is_named(stack: LocalStack, project: Path, tmp_path: Path) -> None:
    (project / "Procfile").write_text("web: echo MANA_SERVICE_KEY is missing >&2; exit 1\n")

    with pytest.raises(ServerFailed, match=r"web.*\n.*MANA_SERVICE_KEY is missing"):
        stack.start()

    assert running(tmp_path) == []


def test_what_the_stack_writes_down_is_private_and_complete(stack: LocalStack) -> None:
    with stack:
        state, env = stack.directory / "stack.json", stack.directory / "env"
        script = f'. {env} && printf \'%s\\n\' "$DATABASE_URL" "$STRIPE_API_BASE"'
        values = subprocess.run(["sh", "-c", script], check=True, capture_output=True, text=True).stdout.split()

        assert stat.S_IMODE(state.stat().st_mode) == stat.S_IMODE(env.stat().st_mode) == 0o600
        assert json.loads(state.read_text())["environment"] == stack.env
        assert values == [stack.env["DATABASE_URL"], stack.env["STRIPE_API_BASE"]]


def test_another_port_is_taken_when_the_wanted_one_is_not_free(tmp_path: Path, project: Path) -> None:
    environment = {"PYTHONPATH": str(PROJECT)}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        stack = LocalStack(tmp_path / "s", parts=PARTS, project=project, port=port, environment=environment)
        with stack:
            assert stack.env["PORT"] != str(port)


@contextmanager
def dev(tmp_path: Path, project: Path, *options: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Run `mana-credits dev` with `PARTS` of a small project, and end it by SIGTERM."""
    arguments = ["--directory", str(tmp_path / "state"), "--no-demo", *options]
    program = f"""
from functools import partial; from pathlib import Path; import local.commands
local.commands.LocalStack = partial(local.commands.LocalStack, parts={PARTS!r}, project=Path({str(project)!r}))
print("begun", flush=True)
local.commands.dev({arguments!r})
"""
    variables = {**os.environ, "PYTHONPATH": str(PROJECT), **environment}
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=variables) as process:
        assert process.stdout
        assert process.stdout.readline() == "begun\n"
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


@pytest.mark.parametrize("after_s", [0.9, 1.2])
def test_sigterm_during_the_start_leaves_nothing_running(after_s: float, tmp_path: Path, project: Path) -> None:
    (project / "Procfile").write_text("web: exec sleep 63\n")

    with dev(tmp_path, project):
        time.sleep(after_s)

    assert running(tmp_path) == []


@pytest.mark.parametrize("is_option", [False, True])
def test_dev_listens_on_the_port_of_the_environment_unless_an_option_names_one(
    tmp_path: Path, project: Path, *, is_option: bool
) -> None:
    port = free_port()
    options, variable = (["--port", str(port)], str(free_port())) if is_option else ([], str(port))

    with dev(tmp_path, project, *options, PORT=variable):
        wait_until(lambda: status_of(f"http://127.0.0.1:{port}/docs") == 200, seconds=20)


def test_only_lines_that_need_attention_are_shown_and_like_ones_once(tmp_path: Path) -> None:
    log, logbook = tmp_path / "web.log", Logbook(tmp_path)
    log.write_text('{"level":"error","event":"old"}\n')
    logbook.skip()

    with log.open("a") as output:
        output.write('{"level":"info","event":"fine"}\nFATAL:  the database system is starting up\n')
        output.write("10:01 ERROR: lost 3\n10:02 ERROR: lost 4\nnot yet a whole ERROR")

    assert list(logbook.new_warnings()) == [("web", "10:01 ERROR: lost 3 (and 1 more)")]
    assert list(logbook.new_warnings()) == []


def test_the_procfile_has_a_release_and_three_kinds_of_process() -> None:
    assert set(read_procfile(PROJECT / "Procfile")) == {"release", "web", "worker", "scheduler"}
